#include "server/ingest/ingest_report.h"

namespace braid::ingest {

std::string IngestReport::Summary() const {
  if (errors.empty() && rejected == 0) return "";
  std::string text;
  if (rejected > 0) text = std::to_string(rejected) + " rejected";
  for (const IngestError& error : errors) {
    if (!text.empty()) text += "; ";
    if (error.line > 0) {
      text += "line " + std::to_string(error.line) + ": ";
    } else if (!error.place.empty()) {
      text += error.place + ": ";
    }
    text += error.message;
  }
  return text;
}

}  // namespace braid::ingest
