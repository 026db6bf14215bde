#include "auth/topic_rules.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace nightjar::auth {
namespace {

bool is_harmless(std::string_view name, bool is_text) {
  return name.find_first_of(is_text ? "+#" : "+#/") == std::string_view::npos;
}

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

TopicRules::Fit TopicRules::fit(const Pattern& pattern, std::string_view rest,
                                const broker::ClientIdentity& who, bool is_system) {
  if (is_system && !pattern.parts.front().text.starts_with('$')) return {};
  const auto text_of = [&who](const Part& part) -> std::string_view {
    if (part.kind == Part::Kind::kText) return part.text;
    return part.kind == Part::Kind::kClientId ? who.client_id : who.user_name;
  };
  std::size_t size = 0;
  for (const Part& part : pattern.parts) {
    const std::string_view text = text_of(part);
    if (text.empty()) return {};  // nobody by that name
    if (part.kind != Part::Kind::kText && !is_harmless(text, pattern.is_text))
      return {Fit::Kind::kOnlyToDeny, std::min(rest.find('/'), rest.size())};
    if (!rest.substr(size).starts_with(text)) return {};
    size += text.size();
  }
  const bool is_whole = size == rest.size() || rest[size] == '/';
  return is_whole ? Fit{Fit::Kind::kYes, size} : Fit{};
}

std::uint32_t TopicRules::child_for(std::uint32_t at, std::string_view level, Substitution substitution) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  std::uint32_t child = next;
  Node& node = nodes_[at];
  const bool is_text = substitution == Substitution::kNamesAsText;
  const bool has_names = substitution != Substitution::kNone && (level.find("%c") != std::string_view::npos ||
                                                                 level.find("%u") != std::string_view::npos);
  if (level == "+") {
    if (node.any == 0) node.any = next;
    child = node.any;
  } else if (has_names) {
    std::vector<Part> parts = parts_of(level);
    const auto is_same = [&parts, is_text](const Pattern& other) {
      return other.is_text == is_text &&
             std::equal(parts.begin(), parts.end(), other.parts.begin(), other.parts.end(),
                        [](const Part& a, const Part& b) { return a.kind == b.kind && a.text == b.text; });
    };
    const auto found = std::find_if(node.patterns.begin(), node.patterns.end(), is_same);
    if (found != node.patterns.end()) return found->child;
    node.patterns.push_back({std::move(parts), is_text, next});
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

void TopicRules::add_text(std::string_view glob, const Rule& rule) {
  ++count_;
  texts_.emplace_back(glob, rule);
}

}  // namespace nightjar::auth
