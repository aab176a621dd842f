#include "query/syntax/durations.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "query/syntax/literals.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

bool AsksForQuery(const CallExpr& call) { return call.function == "step" || call.function == "range"; }

absl::StatusOr<double> SecondsOfParam(const ParamRef& param, const Place& place, const DurationScope& scope) {
  const auto* params = scope.params;
  const auto it = params == nullptr ? std::map<std::string, Value>::const_iterator() : params->find(param.name);
  if (params == nullptr || it == params->end()) {
    return ErrorAt(place, "E065", "parameter $" + param.name + " is not given");
  }
  if (const auto* number = std::get_if<double>(&it->second)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&it->second)) return static_cast<double>(*integer);
  if (const auto* text = std::get_if<std::string>(&it->second)) {
    const bool negative = text->rfind('-', 0) == 0;
    const std::string_view rest = std::string_view(*text).substr(negative ? 1 : 0);
    if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
      const ScannedNumber scanned = ScanNumber(rest);
      if (scanned.error.empty() && scanned.length == rest.size() && scanned.kind != ScannedNumber::Kind::kTimestamp) {
        const bool duration = scanned.kind == ScannedNumber::Kind::kDuration;
        const double seconds = duration ? static_cast<double>(scanned.integer) / 1e9 : scanned.value;
        return negative ? -seconds : seconds;
      }
    }
  }
  return ErrorAt(place, "E065", "parameter $" + param.name + " is no duration",
                 "give it as text such as \"5m\", or as a number of seconds");
}

absl::StatusOr<Duration> Whole(double seconds, bool may_be_negative, const Place& place) {
  if (std::isnan(seconds) || std::isinf(seconds)) return ErrorAt(place, "E055", "duration is NaN or infinite");
  if (seconds <= 0 && !may_be_negative) return ErrorAt(place, "E055", "duration must be greater than 0");
  if (std::fabs(seconds) > 9.2e9) return ErrorAt(place, "E005", "duration is out of range");
  // Prometheus cuts computed durations to whole milliseconds.
  return static_cast<Duration>(std::trunc(seconds * 1000)) * kMillisecond;
}

class Closer {
 public:
  explicit Closer(const DurationScope& scope) : scope_(scope) {}

  absl::StatusOr<ExprPtr> Close(const Expr& expr) const {
    Expr copy = expr;
    const absl::Status status = std::visit([this](auto& node) { return CloseNode(&node); }, copy.node);
    if (!status.ok()) return status;
    return std::make_shared<const Expr>(std::move(copy));
  }

 private:
  template <typename Node>
  absl::Status CloseNode(Node*) const {
    return absl::OkStatus();  // nothing inside
  }
  absl::Status CloseChild(ExprPtr* child) const {
    if (*child == nullptr || !HasOpenDurations(**child)) return absl::OkStatus();
    ASSIGN_OR_RETURN(*child, Close(**child));
    return absl::OkStatus();
  }
  absl::Status CloseOffset(TimeModifiers* time) const {
    if (time->offset_expr == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const double seconds, DurationSeconds(*time->offset_expr, scope_));
    ASSIGN_OR_RETURN(time->offset, Whole(seconds, true, time->offset_expr->place));
    time->offset_expr = nullptr;
    return absl::OkStatus();
  }
  absl::StatusOr<Duration> Length(const Expr& expr) const {
    ASSIGN_OR_RETURN(const double seconds, DurationSeconds(expr, scope_));
    return Whole(seconds, false, expr.place);
  }
  absl::Status CloseNode(Selector* selector) const {
    if (selector->range_expr != nullptr) {
      ASSIGN_OR_RETURN(selector->range, Length(*selector->range_expr));
      selector->range_expr = nullptr;
    }
    return CloseOffset(&selector->time);
  }
  absl::Status CloseNode(SubqueryExpr* subquery) const {
    if (subquery->range_expr != nullptr) {
      ASSIGN_OR_RETURN(subquery->range, Length(*subquery->range_expr));
      subquery->range_expr = nullptr;
    }
    if (subquery->step_expr != nullptr) {
      ASSIGN_OR_RETURN(subquery->step, Length(*subquery->step_expr));
      subquery->step_expr = nullptr;
    }
    RETURN_IF_ERROR(CloseOffset(&subquery->time));
    return CloseChild(&subquery->inner);
  }
  absl::Status CloseNode(AggregationExpr* aggregation) const {
    RETURN_IF_ERROR(CloseChild(&aggregation->param));
    return CloseChild(&aggregation->inner);
  }
  absl::Status CloseNode(UnaryExpr* unary) const { return CloseChild(&unary->operand); }
  absl::Status CloseNode(BinaryExpr* binary) const {
    RETURN_IF_ERROR(CloseChild(&binary->left));
    return CloseChild(&binary->right);
  }
  absl::Status CloseNode(CallExpr* call) const {
    for (Item& item : call->args) RETURN_IF_ERROR(CloseChild(&item.expr));
    return absl::OkStatus();
  }
  absl::Status CloseNode(ParenExpr* paren) const { return CloseChild(&paren->inner); }

  const DurationScope& scope_;
};

}  // namespace

absl::StatusOr<double> DurationSeconds(const Expr& expr, const DurationScope& scope) {
  if (const auto* number = std::get_if<NumberLiteral>(&expr.node)) return number->value;
  if (const auto* duration = std::get_if<DurationLiteral>(&expr.node)) {
    return static_cast<double>(duration->value) / 1e9;
  }
  if (const auto* param = std::get_if<ParamRef>(&expr.node)) return SecondsOfParam(*param, expr.place, scope);
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return DurationSeconds(*paren->inner, scope);
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) {
    ASSIGN_OR_RETURN(const double value, DurationSeconds(*unary->operand, scope));
    return unary->op == UnaryOp::kMinus ? -value : value;
  }
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) {
    if (call->function == "step") return static_cast<double>(scope.step) / 1e9;
    if (call->function == "range") return static_cast<double>(scope.range) / 1e9;
    ASSIGN_OR_RETURN(const double left, DurationSeconds(*call->args[0].expr, scope));
    ASSIGN_OR_RETURN(const double right, DurationSeconds(*call->args[1].expr, scope));
    const bool smaller = call->function == "min" || call->function == "min_of";
    return smaller ? std::min(left, right) : std::max(left, right);
  }
  const auto* binary = std::get_if<BinaryExpr>(&expr.node);
  if (binary == nullptr) return ErrorAt(expr.place, "E055", "this is no duration");
  ASSIGN_OR_RETURN(const double left, DurationSeconds(*binary->left, scope));
  ASSIGN_OR_RETURN(const double right, DurationSeconds(*binary->right, scope));
  switch (binary->op) {
    case BinaryOp::kAdd: return left + right;
    case BinaryOp::kSub: return left - right;
    case BinaryOp::kMul: return left * right;
    case BinaryOp::kDiv:
      if (right == 0) return ErrorAt(binary->op_place, "E055", "division by zero");
      return left / right;
    case BinaryOp::kMod:
      if (right == 0) return ErrorAt(binary->op_place, "E055", "modulo by zero");
      return std::fmod(left, right);
    case BinaryOp::kPow: return std::pow(left, right);
    default: return ErrorAt(binary->op_place, "E055", "this operator makes no duration");
  }
}

bool IsOpenDuration(const Expr& expr) {
  if (std::holds_alternative<ParamRef>(expr.node)) return true;
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return IsOpenDuration(*paren->inner);
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return IsOpenDuration(*unary->operand);
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    return IsOpenDuration(*binary->left) || IsOpenDuration(*binary->right);
  }
  const auto* call = std::get_if<CallExpr>(&expr.node);
  return call != nullptr && (AsksForQuery(*call) || std::any_of(call->args.begin(), call->args.end(),
                                                                [](const Item& i) { return IsOpenDuration(*i.expr); }));
}

bool HasOpenDurations(const Expr& expr) {
  if (const auto* selector = std::get_if<Selector>(&expr.node)) {
    return selector->range_expr != nullptr || selector->time.offset_expr != nullptr;
  }
  if (const auto* subquery = std::get_if<SubqueryExpr>(&expr.node)) {
    return subquery->range_expr != nullptr || subquery->step_expr != nullptr || subquery->time.offset_expr != nullptr ||
           HasOpenDurations(*subquery->inner);
  }
  if (const auto* aggregation = std::get_if<AggregationExpr>(&expr.node)) {
    return HasOpenDurations(*aggregation->inner) ||
           (aggregation->param != nullptr && HasOpenDurations(*aggregation->param));
  }
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return HasOpenDurations(*unary->operand);
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return HasOpenDurations(*paren->inner);
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    return HasOpenDurations(*binary->left) || HasOpenDurations(*binary->right);
  }
  const auto* call = std::get_if<CallExpr>(&expr.node);
  return call != nullptr && std::any_of(call->args.begin(), call->args.end(),
                                        [](const Item& item) { return HasOpenDurations(*item.expr); });
}

absl::StatusOr<ExprPtr> CloseDurations(const Expr& expr, const DurationScope& scope) {
  return Closer(scope).Close(expr);
}

}  // namespace braid
