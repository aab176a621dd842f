// The shape of the code, held as a test: includes go down the floors, files stay small, names say what they hold.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/source_dir.h"

namespace {

namespace fs = std::filesystem;

// Room of a folder, its floor, and rooms of the same floor family that it may not know.
struct Room {
  std::string folder;
  int floor;
};

// Deepest folder first, so that the first prefix that fits is the room.
const std::vector<Room>& Rooms() {
  static const std::vector<Room> rooms = {
      {"engine/include/", 0}, {"query/include/", 0}, {"engine/memory/", 0},    {"engine/base/", 1},
      {"engine/io/", 2},      {"engine/codec/", 2},  {"engine/part/", 3},      {"engine/head/", 4},
      {"engine/db/", 5},      {"query/syntax/", 6},  {"query/memory/", 7},     {"query/vector/", 8},
      {"query/rows/", 8},     {"query/plan/", 9},    {"server/ingest/", 10},   {"server/http/", 10},
      {"server/scrape/", 11}, {"server/", 12},       {"tools/generator/", 10}, {"tools/capture/", 11},
      {"tools/", 13},
  };
  return rooms;
}

const Room* RoomOf(std::string_view path) {
  for (const Room& room : Rooms()) {
    if (path.substr(0, room.folder.size()) == room.folder) return &room;
  }
  return nullptr;
}

// What a room may include beyond what its floor allows or despite it. The engine's insides are closed to queries; of
// them only engine/base, which holds no engine state, is open to server/ and tools/.
std::string Forbidden(const std::string& from, const std::string& include) {
  if (include.substr(0, 6) == "braid/") return "";
  const Room* own = RoomOf(from);
  const Room* other = RoomOf(include);
  if (own == nullptr || other == nullptr || own == other) return "";
  if (own->floor == 0) return "the contract includes only std, absl and itself";
  const bool own_query = own->folder.substr(0, 6) == "query/";
  const bool other_engine = other->folder.substr(0, 7) == "engine/";
  if (other->folder == "engine/memory/") return "";
  if (own_query && other_engine) return "query knows the engine by the contract alone";
  if (own->folder == "server/http/") {
    if (other->folder != "engine/base/") return "server/http knows nothing of Braid";
  }
  if (other->floor >= own->floor) return "includes go down only";
  if ((own->folder.substr(0, 7) == "server/" || own->folder.substr(0, 6) == "tools/") && other_engine &&
      other->folder != "engine/base/") {
    return "server and tools use the engine through the contract";
  }
  return "";
}

std::vector<std::string> Includes(const std::string& text) {
  std::vector<std::string> includes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kStart = "#include \"";
    if (line.compare(0, kStart.size(), kStart) != 0) continue;
    includes.push_back(line.substr(kStart.size(), line.find('"', kStart.size()) - kStart.size()));
  }
  return includes;
}

struct SourceFile {
  std::string path;  // from the root of the project
  std::string text;
};

std::vector<SourceFile> SourceFiles() {
  std::vector<SourceFile> files;
  const fs::path root = braid::SourceDir();
  for (const char* top : {"engine", "query", "server", "tools", "tests", "bench"}) {
    if (!fs::exists(root / top)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / top)) {
      const std::string extension = entry.path().extension();
      if (!entry.is_regular_file() || (extension != ".cc" && extension != ".h")) continue;
      std::ifstream file(entry.path());
      files.push_back(
          {fs::relative(entry.path(), root).string(), std::string(std::istreambuf_iterator<char>(file), {})});
    }
  }
  return files;
}

TEST(Tidy, IncludesGoDownOnly) {
  for (const SourceFile& file : SourceFiles()) {
    for (const std::string& include : Includes(file.text)) {
      const std::string why = Forbidden(file.path, include);
      EXPECT_EQ(why, "") << file.path << " includes " << include;
    }
  }
}

// The law itself, on made-up lines: a test that cannot fail is a defect.
TEST(Tidy, TheLawOfTheFloorsBites) {
  EXPECT_NE(Forbidden("engine/part/part.cc", "engine/db/manifest.h"), "");
  EXPECT_NE(Forbidden("engine/io/posix_file_system.cc", "engine/codec/chunk.h"), "");
  EXPECT_NE(Forbidden("query/plan/planner.cc", "engine/part/part.h"), "");
  EXPECT_NE(Forbidden("query/rows/join.cc", "query/vector/evaluator.h"), "");
  EXPECT_NE(Forbidden("server/api_query.cc", "engine/head/wal.h"), "");
  EXPECT_NE(Forbidden("server/server.cc", "tools/command.h"), "");
  EXPECT_NE(Forbidden("engine/include/braid/db.h", "engine/base/coding.h"), "");
  EXPECT_EQ(Forbidden("engine/part/part.cc", "engine/codec/chunk.h"), "");
  EXPECT_EQ(Forbidden("query/plan/planner.cc", "query/vector/evaluator.h"), "");
  EXPECT_EQ(Forbidden("tools/program.cc", "server/server.h"), "");
}

TEST(Tidy, EverySourceFileBelongsToARoom) {
  for (const SourceFile& file : SourceFiles()) {
    if (file.path.compare(0, 6, "tests/") == 0 || file.path.compare(0, 6, "bench/") == 0) continue;
    EXPECT_NE(RoomOf(file.path), nullptr) << file.path;
  }
}

TEST(Tidy, FilesStaySmall) {
  for (const SourceFile& file : SourceFiles()) {
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    EXPECT_LE(lines, 700) << file.path << ": split it by noun";
  }
}

TEST(Tidy, NamesSayWhatTheyHold) {
  for (const SourceFile& file : SourceFiles()) {
    const std::string stem = fs::path(file.path).stem();
    for (const char* word : {"util", "utils", "common", "misc", "helper", "helpers", "manager"}) {
      const bool found = stem == word || (stem.size() > std::string_view(word).size() &&
                                          stem.compare(stem.size() - std::string_view(word).size() - 1,
                                                       std::string::npos, std::string("_") + word) == 0);
      EXPECT_FALSE(found) << file.path;
    }
  }
}

TEST(Tidy, HeadersAreGuardedAndNoTextIsLeftOpen) {
  const std::string marker = std::string("TO") + "DO";
  for (const SourceFile& file : SourceFiles()) {
    if (fs::path(file.path).extension() == ".h") {
      EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
    }
    EXPECT_EQ(file.text.find(marker), std::string::npos) << file.path;
  }
}

TEST(Tidy, LinesFitTheScreen) {
  for (const SourceFile& file : SourceFiles()) {
    std::istringstream lines(file.text);
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
      ++number;
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
      const bool is_text = line.find("R\"") != std::string::npos || line.find('"') != std::string::npos;
      EXPECT_TRUE(columns <= 120 || (is_text && columns <= 500)) << file.path << ":" << number << " has " << columns;
    }
  }
}

}  // namespace
