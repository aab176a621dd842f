// The fields of one JSON object: nested ones under dotted names, arrays as their JSON text, nulls left out.
//
// Threads: a reader belongs to one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/ingest/attribute_list.h"

namespace braid::ingest {

class JsonFieldsReader {
 public:
  JsonFieldsReader();
  ~JsonFieldsReader();

  // Adds the fields in the order sent and returns "", or why the text is no JSON object. Texts in the list are valid
  // until the next Read. So many bytes after the text may be read as well, whatever they are.
  std::string Read(std::string_view object, AttributeList* fields, size_t readable_after = 0);

 private:
  struct Json;
  std::unique_ptr<Json> json_;
};

}  // namespace braid::ingest
