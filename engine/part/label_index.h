// The label index of a part: which series have a label pair, and which values a label name has.
//
//   names section := count:varint { name:bytes values:varint blocks:varint { offset:varint size:varint first:bytes }*
//   }* values block  := count:varint { shared:varint rest:bytes postings }*       (sorted; shared = bytes as in the one
//   before) postings      := bytes of Postings::Serialize
//
// Threads: a writer belongs to one thread; LabelIndex may be shared. Errors: DataLoss.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "engine/codec/postings.h"
#include "engine/part/block_file.h"
#include "engine/part/label_matcher.h"

namespace braid {

class LabelIndexWriter {
 public:
  void Add(uint32_t ordinal, const Labels& labels);
  absl::Status Write(BlockFileWriter* file) const;  // does not finish the file

 private:
  using Values = std::map<std::string, std::vector<uint32_t>>;
  std::map<std::string, Values> names_;
  // Pairs of the last series by their place: in label order most of them are those of the next series too.
  struct Recent {
    Label label;
    Values* values = nullptr;
    std::vector<uint32_t>* ordinals = nullptr;
  };
  std::vector<Recent> last_;
};

class LabelIndex {
 public:
  // Reads the names only. `series` bounds the ordinals.
  static absl::StatusOr<std::unique_ptr<LabelIndex>> Open(FileSystem* fs, const std::string& path,
                                                          const std::string& name, uint32_t series);
  static absl::StatusOr<std::unique_ptr<LabelIndex>> Open(std::unique_ptr<RandomReadFile> file, const std::string& name,
                                                          uint32_t series);
  // Ordinals of the series that satisfy all matchers. Adds stored bytes read to `*bytes_read`.
  absl::StatusOr<Postings> Match(const std::vector<CompiledMatcher>& matchers, uint64_t* bytes_read) const;
  // Calls visit(name, value, postings) for every pair, in order.
  absl::Status ForEach(const std::function<void(const std::string&, const std::string&, const Postings&)>& visit) const;
  const BlockFileReader& file() const { return *file_; }

 private:
  struct ValueBlock {
    BlockRef ref;
    std::string first;
  };
  struct Name {
    uint64_t values = 0;
    std::vector<ValueBlock> blocks;
  };
  LabelIndex() = default;
  // Values of one block; postings only of those that `want` accepts.
  absl::Status ReadValues(const ValueBlock& block, const std::function<bool(std::string_view)>& want,
                          const std::function<void(const std::string&, const Postings&)>& visit) const;
  // Union of the postings of the values that `want` accepts; `only` (may be null) are the only ones that it can accept.
  absl::StatusOr<Postings> Union(const Name& name, const std::vector<std::string>* only,
                                 const std::function<bool(std::string_view)>& want, uint64_t* bytes_read) const;

  std::unique_ptr<BlockFileReader> file_;
  uint32_t series_ = 0;
  std::map<std::string, Name, std::less<>> names_;
};

}  // namespace braid
