#include "server/ingest/series_gate.h"

#include <algorithm>
#include <vector>

#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/text_order.h"

namespace braid::ingest {
namespace {

// Of what was turned away: labels, and values of each, that are looked at to name a culprit.
constexpr size_t kRefusedLabelsMax = 64;
constexpr size_t kRefusedValuesMax = 1024;

// Whatever its order, a series has the hash of the labels of its remote write message, which need not be written then.
uint64_t HashOf(std::span<const LabelView> labels) {
  thread_local std::vector<LabelView> sorted;
  thread_local std::string message;
  const auto by_name = [](const LabelView& a, const LabelView& b) { return CompareNames(a.name, b.name) < 0; };
  if (!std::is_sorted(labels.begin(), labels.end(), by_name)) {
    sorted.assign(labels.begin(), labels.end());
    std::stable_sort(sorted.begin(), sorted.end(), by_name);
    labels = sorted;
  }
  message.clear();
  constexpr char kFirst = 1 << 3 | 2, kSecond = 2 << 3 | 2;
  const auto text_bytes = [](std::string_view text) { return 1 + VarintSize(text.size()) + text.size(); };
  for (const LabelView& label : labels) {
    if (label.value.empty()) continue;
    message.push_back(kFirst);
    PutVarint(&message, text_bytes(label.name) + text_bytes(label.value));
    message.push_back(kFirst);
    PutBytes(&message, label.name);
    message.push_back(kSecond);
    PutBytes(&message, label.value);
  }
  return Hash64(message);
}

std::string_view MetricOf(std::span<const LabelView> labels) {
  for (const LabelView& label : labels) {
    if (label.name == kMetricNameLabel) return label.value;
  }
  return {};
}

}  // namespace

bool SeriesGate::Admit(std::span<const LabelView> labels, Timestamp now, uint64_t series) {
  return series_max_ == 0 || AdmitHash(HashOf(labels), labels, now, series);
}

bool SeriesGate::AdmitMessage(std::string_view message, std::span<const LabelView> labels, Timestamp now) {
  return series_max_ == 0 || AdmitHash(Hash64(message), labels, now, 1);
}

bool SeriesGate::AdmitHash(uint64_t hash, std::span<const LabelView> labels, Timestamp now, uint64_t series) {
  const uint32_t window = static_cast<uint32_t>(std::max<Timestamp>(now, 0) / kWindow);
  std::lock_guard lock(mutex_);
  if (window > window_) {
    window_ = window;
    Forget();
  }
  if (const auto found = known_.find(hash); found != known_.end()) {
    found->second.window = window_;
    return true;
  }
  if (active_ + series > series_max_) {
    NoteRefused(labels);
    return false;
  }
  const std::string_view metric = MetricOf(labels);
  auto count = metrics_.find(metric);
  if (count == metrics_.end()) count = metrics_.emplace(std::string(metric), 0).first;
  count->second += series;
  known_.emplace(hash, Known{window_, static_cast<uint32_t>(series), &count->second});
  active_ += series;
  return true;
}

void SeriesGate::NoteRefused(std::span<const LabelView> labels) {
  for (const LabelView& label : labels) {
    if (label.name == kMetricNameLabel) continue;
    auto values = refused_values_.find(label.name);
    if (values == refused_values_.end()) {
      if (refused_values_.size() >= kRefusedLabelsMax) continue;
      values = refused_values_.try_emplace(std::string(label.name)).first;
    }
    if (values->second.size() < kRefusedValuesMax) values->second.try_emplace(Hash64(label.value), 0);
  }
}

void SeriesGate::Forget() {
  for (auto it = known_.begin(); it != known_.end();) {
    if (it->second.window + 1 >= window_) {
      ++it;
      continue;
    }
    *it->second.of_metric -= it->second.series;
    active_ -= it->second.series;
    known_.erase(it++);
  }
  std::erase_if(metrics_, [](const auto& metric) { return metric.second == 0; });
  refused_values_.clear();
}

std::string SeriesGate::Refusal() const {
  std::lock_guard lock(mutex_);
  std::string text =
      "there are " + std::to_string(active_) + " active series, and " + std::to_string(series_max_) + " is the limit";
  const auto most = std::max_element(metrics_.begin(), metrics_.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != metrics_.end()) text += "; most are of " + most->first + " (" + std::to_string(most->second) + ")";
  const auto label = std::max_element(refused_values_.begin(), refused_values_.end(),
                                      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  if (label != refused_values_.end()) {
    const size_t values = label->second.size();
    text += "; of the new ones, label " + label->first + " has " + (values >= kRefusedValuesMax ? "more than " : "") +
            std::to_string(values) + " values";
  }
  return text;
}

}  // namespace braid::ingest
