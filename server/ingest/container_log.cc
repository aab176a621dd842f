#include "server/ingest/container_log.h"

#include <algorithm>

#include "server/ingest/json_fields.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

bool ParseDockerLine(std::string_view line, ContainerLine* parsed) {
  JsonFieldsReader reader;
  AttributeList fields;
  if (!reader.Read(line, &fields).empty() || !fields.Has("log") || !fields.Has("time")) return false;
  ContainerLine found;
  found.text = fields.Text("log");
  found.is_stderr = fields.Text("stream") == "stderr";
  found.partial = found.text.empty() || found.text.back() != '\n';
  if (!found.partial) found.text.pop_back();
  if (!ParseTimeText(fields.Text("time"), &found.time)) return false;
  *parsed = std::move(found);
  return true;
}

bool ParseCriLine(std::string_view line, ContainerLine* parsed) {
  ContainerLine found;
  size_t length;
  if (!ParseTimePrefix(line, &found.time, &length) || length >= line.size() || line[length] != ' ') return false;
  line.remove_prefix(length + 1);
  if (!line.starts_with("stdout ") && !line.starts_with("stderr ")) return false;
  found.is_stderr = line.starts_with("stderr ");
  line.remove_prefix(7);
  // Tags are separated by colons; P or F is the first.
  if (line.empty() || (line[0] != 'F' && line[0] != 'P') || (line.size() > 1 && line[1] != ' ' && line[1] != ':')) {
    return false;
  }
  found.partial = line[0] == 'P';
  const size_t space = line.find(' ');
  found.text = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  *parsed = std::move(found);
  return true;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Attribute Named(std::string_view name, std::string_view value) { return {std::string(name), std::string(value)}; }

}  // namespace

ContainerFormat SniffContainerFormat(std::string_view line) {
  ContainerLine parsed;
  if (line.starts_with("{\"log\":") && ParseDockerLine(line, &parsed)) return ContainerFormat::kDocker;
  return ParseCriLine(line, &parsed) ? ContainerFormat::kCri : ContainerFormat::kNone;
}

bool ParseContainerLine(ContainerFormat format, std::string_view line, ContainerLine* parsed) {
  switch (format) {
    case ContainerFormat::kNone: return false;
    case ContainerFormat::kDocker: return ParseDockerLine(line, parsed);
    case ContainerFormat::kCri: return ParseCriLine(line, parsed);
  }
  return false;
}

std::vector<Attribute> ContainerOfPath(std::string_view path) {
  const std::vector<std::string_view> parts = Split(path, '/');
  const std::string_view name = parts.back();
  const std::string_view folder = parts.size() >= 2 ? parts[parts.size() - 2] : std::string_view();
  if (name.ends_with("-json.log") && name.size() == 64 + 9 && name.starts_with(folder)) {
    return {Named("container.id", folder)};
  }
  if (folder == "containers" && name.ends_with(".log")) {
    const auto words = Split(name.substr(0, name.size() - 4), '_');
    const size_t dash = words.back().rfind('-');
    if (words.size() == 3 && dash != std::string_view::npos && words[2].size() - dash - 1 == 64) {
      return {Named("k8s.pod.name", words[0]), Named("k8s.namespace.name", words[1]),
              Named("k8s.container.name", words[2].substr(0, dash)), Named("container.id", words[2].substr(dash + 1))};
    }
  }
  if (parts.size() >= 4 && parts[parts.size() - 4] == "pods") {
    const auto words = Split(parts[parts.size() - 3], '_');
    if (words.size() == 3) {
      return {Named("k8s.namespace.name", words[0]), Named("k8s.pod.name", words[1]), Named("k8s.pod.uid", words[2]),
              Named("k8s.container.name", folder)};
    }
  }
  return {};
}

}  // namespace braid::ingest
