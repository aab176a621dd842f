#include "engine/part/label_index.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

void PutPostings(std::string* out, const std::vector<uint32_t>& ordinals) {
  PutBytes(out, Postings::Serialize(ordinals));
}

bool ReadPostings(Decoder* in, uint32_t end, bool wanted, Postings* postings) {
  std::string_view bytes;
  if (!in->ReadBytes(&bytes)) return false;
  if (!wanted) return true;
  absl::StatusOr<Postings> parsed = Postings::Parse(bytes, end);
  if (!parsed.ok()) return in->Fail();
  *postings = *std::move(parsed);
  return true;
}

size_t SharedPrefix(std::string_view a, std::string_view b) {
  size_t size = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + size, b.begin()).first - a.begin());
}

}  // namespace

void LabelIndexWriter::Add(uint32_t ordinal, const Labels& labels) {
  if (last_.size() < labels.size()) last_.resize(labels.size());
  for (size_t place = 0; place < labels.size(); ++place) {
    Recent& recent = last_[place];
    const Label& label = labels[place];
    if (recent.values == nullptr || recent.label.name != label.name) {
      recent.values = &names_[label.name];
      recent.ordinals = nullptr;
    }
    if (recent.ordinals == nullptr || recent.label.value != label.value) {
      recent.ordinals = &(*recent.values)[label.value];
      recent.label = label;
    }
    recent.ordinals->push_back(ordinal);
  }
}

absl::Status LabelIndexWriter::Write(BlockFileWriter* file) const {
  std::string names;
  PutVarint(&names, names_.size());
  for (const auto& [name, values] : names_) {
    std::vector<std::pair<BlockRef, std::string>> blocks;
    for (auto at = values.begin(); at != values.end();) {
      std::string first = at->first, last, body;
      size_t count = 0;
      for (; at != values.end() && count < kLabelValuesPerBlock; ++at, ++count) {
        size_t shared = SharedPrefix(last, at->first);
        PutVarint(&body, shared);
        PutBytes(&body, std::string_view(at->first).substr(shared));
        PutPostings(&body, at->second);
        last = at->first;
      }
      std::string block;
      PutVarint(&block, count);
      block += body;
      ASSIGN_OR_RETURN(BlockRef ref, file->AddBlock(BlockType::kLabelValues, Compression::kZstd, block));
      blocks.emplace_back(ref, std::move(first));
    }
    PutBytes(&names, name);
    PutVarint(&names, values.size());
    PutVarint(&names, blocks.size());
    for (const auto& [ref, first] : blocks) {
      PutVarint(&names, ref.offset);
      PutVarint(&names, ref.size);
      PutBytes(&names, first);
    }
  }
  ASSIGN_OR_RETURN(BlockRef ref, file->AddBlock(BlockType::kDirectory, Compression::kZstd, names));
  file->AddSection("names", ref);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<LabelIndex>> LabelIndex::Open(FileSystem* fs, const std::string& path,
                                                             const std::string& name, uint32_t series) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> file, fs->OpenRead(path));
  return Open(std::move(file), name, series);
}

absl::StatusOr<std::unique_ptr<LabelIndex>> LabelIndex::Open(std::unique_ptr<RandomReadFile> file,
                                                             const std::string& name, uint32_t series) {
  std::unique_ptr<LabelIndex> index(new LabelIndex);
  index->series_ = series;
  ASSIGN_OR_RETURN(index->file_, BlockFileReader::Open(std::move(file), name, FileKind::kLabelIndex));
  std::string plain;
  RETURN_IF_ERROR(index->file_->ReadSection("names", BlockType::kDirectory, &plain));
  Decoder in(plain);
  uint64_t names = 0;
  bool ok = in.ReadVarintMax(plain.size(), &names);
  for (uint64_t i = 0; ok && i < names; ++i) {
    std::string_view text;
    Name entry;
    uint64_t blocks = 0;
    ok = in.ReadBytes(&text) && in.ReadVarint(&entry.values) && in.ReadVarintMax(in.remaining(), &blocks);
    for (uint64_t b = 0; ok && b < blocks; ++b) {
      ValueBlock block;
      std::string_view first;
      ok = in.ReadVarint(&block.ref.offset) && in.ReadVarint32(&block.ref.size) && in.ReadBytes(&first);
      block.first = first;
      entry.blocks.push_back(std::move(block));
    }
    if (ok) index->names_.emplace(text, std::move(entry));
  }
  if (!ok || !in.done()) return absl::DataLossError(absl::StrCat(name, ": names do not parse"));
  return index;
}

absl::Status LabelIndex::ReadValues(const ValueBlock& block, const std::function<bool(std::string_view)>& want,
                                    const std::function<void(const std::string&, const Postings&)>& visit) const {
  std::string plain;
  RETURN_IF_ERROR(file_->ReadBlock(block.ref, BlockType::kLabelValues, &plain));
  Decoder in(plain);
  uint64_t count = 0;
  bool ok = in.ReadVarintMax(kLabelValuesPerBlock, &count);
  std::string value;
  for (uint64_t i = 0; ok && i < count; ++i) {
    uint64_t shared;
    std::string_view rest;
    ok = in.ReadVarintMax(value.size(), &shared) && in.ReadBytes(&rest);
    if (!ok) break;
    value.resize(shared);
    value += rest;
    bool wanted = want(value);
    Postings postings;
    ok = ReadPostings(&in, series_, wanted, &postings);
    if (ok && wanted) visit(value, postings);
  }
  if (!ok || !in.done()) {
    return absl::DataLossError(absl::StrCat(file_->name(), " block ", block.ref.offset, ": values do not parse"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Postings> LabelIndex::Union(const Name& name, const std::vector<std::string>* only,
                                           const std::function<bool(std::string_view)>& want,
                                           uint64_t* bytes_read) const {
  Postings all;
  auto add = [&](const std::string&, const Postings& postings) { all.Or(postings); };
  const auto& blocks = name.blocks;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (only != nullptr) {
      // The first literal not below this block's first value must be below the next block's.
      auto at = std::lower_bound(only->begin(), only->end(), blocks[i].first);
      if (at == only->end() || (i + 1 < blocks.size() && *at >= blocks[i + 1].first)) continue;
    }
    *bytes_read += blocks[i].ref.size;
    RETURN_IF_ERROR(ReadValues(blocks[i], want, add));
  }
  return all;
}

absl::StatusOr<Postings> LabelIndex::Match(const std::vector<CompiledMatcher>& matchers, uint64_t* bytes_read) const {
  Postings result = Postings::Range(0, series_);
  for (const CompiledMatcher& matcher : matchers) {
    auto name = names_.find(matcher.name());
    if (name == names_.end()) {
      if (!matcher.MatchesEmpty()) return Postings();
      continue;
    }
    // A matcher that accepts the empty value keeps the series without the label, so what it rejects is taken away.
    bool keeps_absent = matcher.MatchesEmpty();
    // The literals bound the values looked for only if those are the literals themselves, not everything else.
    const std::vector<std::string>* only = keeps_absent == matcher.negated() ? matcher.literals() : nullptr;
    ASSIGN_OR_RETURN(Postings postings,
                     Union(
                         name->second, only,
                         [&](std::string_view value) { return matcher.Matches(value) != keeps_absent; }, bytes_read));
    if (keeps_absent) {
      result.AndNot(postings);
    } else {
      result.And(postings);
    }
    if (result.empty()) break;
  }
  return result;
}

absl::Status LabelIndex::ForEach(
    const std::function<void(const std::string&, const std::string&, const Postings&)>& visit) const {
  for (const auto& [name, entry] : names_) {
    for (const ValueBlock& block : entry.blocks) {
      RETURN_IF_ERROR(ReadValues(
          block, [](std::string_view) { return true; },
          [&](const std::string& value, const Postings& postings) { visit(name, value, postings); }));
    }
  }
  return absl::OkStatus();
}

}  // namespace braid
