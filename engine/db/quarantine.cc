#include "engine/db/quarantine.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr uint64_t kReasonBytesMax = 4096;
// More than that is told as a number.
constexpr size_t kQuarantineListed = 100;

}  // namespace

std::vector<std::string> ListQuarantine(FileSystem* fs, const std::string& dir) {
  std::vector<std::string> listed;
  const absl::StatusOr<std::vector<std::string>> names = fs->List(dir);
  if (!names.ok()) return listed;
  size_t more = 0;
  for (const std::string& name : *names) {
    const bool is_reason = name.ends_with(kReasonSuffix);
    const std::string what = is_reason ? name.substr(0, name.size() - (sizeof(kReasonSuffix) - 1)) : name;
    const bool has_file = std::binary_search(names->begin(), names->end(), what);
    if (name.ends_with(kTempSuffix) || (is_reason && has_file)) continue;
    if (listed.size() == kQuarantineListed) {
      ++more;
      continue;
    }
    absl::StatusOr<std::string> why = ReadFile(fs, JoinPath(dir, what + kReasonSuffix), kReasonBytesMax);
    if (why.ok() && !why->empty() && why->back() == '\n') why->pop_back();
    listed.push_back(absl::StrCat(JoinPath(dir, what), ": ", why.ok() ? *why : "set aside from a damaged WAL"));
  }
  if (more > 0) listed.push_back(absl::StrCat("and ", more, " more in ", dir));
  return listed;
}

}  // namespace braid
