#include "auth/topic_rules.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace nightjar::auth {
namespace {

bool is_harmless(std::string_view name) { return name.find_first_of("+#/") == std::string_view::npos; }

}  // namespace

std::vector<TopicRules::Part> TopicRules::parts_of(std::string_view level) {
  std::vector<Part> parts;
  std::string text;
  for (std::size_t i = 0; i < level.size(); ++i) {
    const std::string_view two = level.substr(i, 2);
    if (two != "%c" && two != "%u") {
      text += level[i];
      continue;
    }
    if (!text.empty()) parts.push_back({Part::Kind::kText, std::move(text)});
    text.clear();
    parts.push_back({two == "%c" ? Part::Kind::kClientId : Part::Kind::kUserName, {}});
    ++i;
  }
  if (!text.empty()) parts.push_back({Part::Kind::kText, std::move(text)});
  return parts;
}

TopicRules::Fit TopicRules::fit(const Pattern& pattern, std::string_view level,
                                const broker::ClientIdentity& who, bool is_system) {
  if (is_system && !pattern.parts.front().text.starts_with('$')) return Fit::kNo;
  const auto text_of = [&who](const Part& part) -> std::string_view {
    if (part.kind == Part::Kind::kText) return part.text;
    return part.kind == Part::Kind::kClientId ? who.client_id : who.user_name;
  };
  for (const Part& part : pattern.parts) {
    const std::string_view text = text_of(part);
    if (text.empty()) return Fit::kNo;  // nobody by that name
    if (part.kind != Part::Kind::kText && !is_harmless(text)) return Fit::kOnlyToDeny;
    if (!level.starts_with(text)) return Fit::kNo;
    level.remove_prefix(text.size());
  }
  return level.empty() ? Fit::kYes : Fit::kNo;
}

std::uint32_t TopicRules::child_for(std::uint32_t at, std::string_view level, Substitution substitution) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  std::uint32_t child = next;
  Node& node = nodes_[at];
  const bool has_names =
      substitution == Substitution::kNames &&
      (level.find("%c") != std::string_view::npos || level.find("%u") != std::string_view::npos);
  if (level == "+") {
    if (node.any == 0) node.any = next;
    child = node.any;
  } else if (has_names) {
    std::vector<Part> parts = parts_of(level);
    const auto is_same = [&parts](const Pattern& other) {
      return std::equal(parts.begin(), parts.end(), other.parts.begin(), other.parts.end(),
                        [](const Part& a, const Part& b) { return a.kind == b.kind && a.text == b.text; });
    };
    const auto found = std::find_if(node.patterns.begin(), node.patterns.end(), is_same);
    if (found != node.patterns.end()) return found->child;
    node.patterns.push_back({std::move(parts), next});
  } else {
    child = node.children.try_emplace(std::string(level), next).first->second;
  }
  if (child == next) nodes_.emplace_back();
  return child;
}

void TopicRules::add(std::string_view filter, const Rule& rule, Substitution substitution) {
  ++count_;
  std::uint32_t at = 0;
  mqtt::Levels levels(filter);
  for (std::string_view level; levels.next(level);) {
    if (level == "#") return nodes_[at].below.push_back(rule);
    at = child_for(at, level, substitution);
  }
  nodes_[at].ends.push_back(rule);
}

}  // namespace nightjar::auth
