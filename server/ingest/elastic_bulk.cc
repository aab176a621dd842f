#include "server/ingest/elastic_bulk.h"

#include <simdjson.h>

#include <algorithm>
#include <array>

#include "engine/base/status_macros.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/otlp_records.h"

namespace braid::ingest {
namespace {

constexpr std::array<std::string_view, 4> kActions = {"create", "index", "update", "delete"};
// An action line holds two names and some settings; what is longer is a document out of place.
constexpr size_t kActionBytesMax = size_t{64} << 10;
constexpr size_t kNameBytesMax = 512;  // Elasticsearch's own limit for ids

class BulkDecoder {
 public:
  BulkDecoder(const BulkOptions& options, WriteBatch* batch, IngestReport* report, std::vector<BulkItem>* items)
      : options_(options), batch_(batch), report_(report), items_(items), lines_(LinesOptions(options)) {}

  absl::Status Decode(std::string_view body) {
    body_ = body;
    std::string_view line;
    while (NextLine(&line)) {
      if (line.empty()) continue;
      if (items_->size() >= kBulkItemsMax) {
        return absl::ResourceExhaustedError("more than " + std::to_string(kBulkItemsMax) + " actions in one request");
      }
      BulkItem item;
      RETURN_IF_ERROR(ReadAction(line, &item));
      RETURN_IF_ERROR(Perform(&item));
      if (!item.error.empty()) {
        report_->Reject(1, "items[" + std::to_string(items_->size()) + "]", item.error);
      }
      items_->push_back(std::move(item));
      RETURN_IF_ERROR(CheckBatchSize(*batch_, report_));
    }
    if (items_->empty()) return absl::InvalidArgumentError("the request has no actions");
    return absl::OkStatus();
  }

 private:
  static JsonLinesOptions LinesOptions(const BulkOptions& options) {
    JsonLinesOptions lines;
    lines.now = options.now;
    return lines;
  }

  bool NextLine(std::string_view* line) {
    if (body_.empty()) return false;
    ++line_;
    const size_t end = body_.find('\n');
    *line = body_.substr(0, end);
    body_.remove_prefix(end == std::string_view::npos ? body_.size() : end + 1);
    while (!line->empty() && (line->back() == '\r' || line->back() == ' ')) line->remove_suffix(1);
    return true;
  }

  absl::Status BadAction(const char* why) const {
    return absl::InvalidArgumentError("line " + std::to_string(line_) + " should be an action: " + why);
  }

  absl::Status ReadAction(std::string_view line, BulkItem* item) {
    if (line.size() > kActionBytesMax) return BadAction("it is longer than an action can be");
    simdjson::dom::element root;
    simdjson::dom::object action, settings;
    if (parser_.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) return BadAction("it is not JSON");
    if (root.get(action) != simdjson::SUCCESS || action.size() != 1) {
      return BadAction("it is not an object with one key");
    }
    const simdjson::dom::key_value_pair only = *action.begin();
    const auto known = std::find(kActions.begin(), kActions.end(), only.key);
    if (known == kActions.end()) return BadAction("its key is none of create, index, update and delete");
    item->action = *known;
    if (only.value.get(settings) != simdjson::SUCCESS) return BadAction("its settings are not an object");
    item->index = options_.index;
    const auto read = [&](const char* key, std::string* name) {
      simdjson::dom::element value;
      if (settings[key].get(value) != simdjson::SUCCESS || value.is_null()) return;
      std::string_view text;
      int64_t number;
      if (value.get(text) == simdjson::SUCCESS) {
        if (text.size() > kNameBytesMax) {
          item->error = std::string(key) + " has more than " + std::to_string(kNameBytesMax) + " bytes";
        } else if (!text.empty()) {
          *name = text;
        }
      } else if (value.get(number) == simdjson::SUCCESS) {
        *name = std::to_string(number);
      } else {
        item->error = std::string(key) + " is not a string";
      }
    };
    read("_index", &item->index);
    read("_id", &item->id);
    return absl::OkStatus();
  }

  absl::Status Perform(BulkItem* item) {
    if (item->action == "delete") {
      item->error = "records cannot be deleted one by one: what is written is only ever appended to";
      return absl::OkStatus();
    }
    std::string_view document;
    if (!NextLine(&document))
      return absl::InvalidArgumentError("the request ends before the document of its last action");
    if (item->action == "update") {
      item->error = "records cannot be changed: what is written is only ever appended to";
    }
    if (!item->error.empty()) return absl::OkStatus();
    AttributeView source, extra;
    size_t sources = 0, extras = 0;
    if (!item->index.empty()) {
      source = {"elasticsearch.index", std::string_view(item->index)};
      sources = 1;
    }
    if (!item->id.empty()) {
      extra = {"elasticsearch.id", std::string_view(item->id)};
      extras = 1;
    }
    item->error = lines_.ParseDocument(document, {&source, sources}, {&extra, extras}, batch_, report_);
    return absl::OkStatus();
  }

  const BulkOptions& options_;
  WriteBatch* batch_;
  IngestReport* report_;
  std::vector<BulkItem>* items_;
  JsonLinesParser lines_;
  simdjson::dom::parser parser_;
  std::string_view body_;
  uint64_t line_ = 0;
};

}  // namespace

absl::Status DecodeElasticBulk(std::string_view body, const BulkOptions& options, WriteBatch* batch,
                               IngestReport* report, std::vector<BulkItem>* items) {
  return BulkDecoder(options, batch, report, items).Decode(body);
}

}  // namespace braid::ingest
