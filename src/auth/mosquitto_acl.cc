// Mosquitto's ACL file: "topic [read|write|readwrite|deny] TOPIC", "user NAME", "pattern ... TOPIC".
#include <fmt/format.h>

#include <utility>

#include "auth/access_rules.h"
#include "auth/lines.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

namespace nightjar::auth {
namespace {

// The first word and the rest behind the blanks that follow it.
std::pair<std::string_view, std::string_view> cut_word(std::string_view text) {
  const std::size_t end = text.find_first_of(" \t");
  if (end == std::string_view::npos) return {text, {}};
  return {text.substr(0, end), trimmed(text.substr(end))};
}

bool set_access(std::string_view word, Rule& rule) {
  if (word == "read") rule.actions = kReceive;
  if (word == "write") rule.actions = kPublish;
  if (word == "deny") rule.is_denied = true;
  return word == "read" || word == "write" || word == "readwrite" || word == "deny";
}

}  // namespace

class MosquittoAcl {
 public:
  MosquittoAcl(std::string_view name, WrittenRules* written)
      : rules_(Precedence::kMosquitto, name), written_(written) {
    if (written_ != nullptr) written_->is_mosquitto = true;
  }

  Result<AccessRules> read(std::string_view text) {
    Lines lines(text);
    for (std::string_view line; lines.next(line);) {
      const auto read = read_line(trimmed(line), lines.number());
      if (!read) return fail(fmt::format("{}:{}: {}", rules_.name_, lines.number(), read.error().message));
    }
    return std::move(rules_);
  }

 private:
  Result<void> read_line(std::string_view line, std::uint32_t number) {
    if (line.empty() || line.front() == '#') return {};
    const auto [keyword, rest] = cut_word(line);
    if (keyword == "user") return begin_user(rest);
    if (keyword == "topic") return add(rest, number, section_, Substitution::kNone);
    if (keyword == "pattern") return add(rest, number, &rules_.for_anybody_, Substitution::kNamesAsText);
    return fail(fmt::format("\"{}\" is none of \"user\", \"topic\" and \"pattern\"", keyword));
  }

  Result<void> begin_user(std::string_view name) {
    if (name.empty())
      return fail("\"user\" without a name; lines for anonymous clients stand before the first user");
    section_ = &rules_.by_user_[std::string(name)];
    user_ = name;
    return {};
  }

  Result<void> add(std::string_view rest, std::uint32_t line, TopicRules* into, Substitution substitution) {
    const auto [word, behind] = cut_word(rest);
    Rule rule{.actions = kPublish | kReceive, .line = line};
    std::string_view topic = word;
    if (!behind.empty()) {
      if (!set_access(word, rule)) {
        return fail(fmt::format("\"{}\" is none of \"read\", \"write\", \"readwrite\" and \"deny\"", word));
      }
      topic = behind;
    }
    if (topic.empty()) return fail("the topic is missing");
    if (!mqtt::is_valid_utf8(topic) || !mqtt::is_valid_topic_filter(topic)) {
      return fail(
          fmt::format("\"{}\" is no topic filter: + and # stand alone between slashes, # at the end", topic));
    }
    into->add(topic, rule, substitution);
    if (written_ != nullptr) note(rule, topic, substitution);
    ++rules_.size_;
    return {};
  }

  void note(const Rule& rule, std::string_view topic, Substitution substitution) {
    const bool is_pattern = substitution != Substitution::kNone;
    WrittenRule& written = written_->rules.emplace_back();
    written.line = rule.line;
    written.is_denied = rule.is_denied;
    written.actions = rule.actions;
    written.has_names = is_pattern;
    written.topics.emplace_back(topic);
    if (is_pattern) return;
    written.about = user_.empty() ? RuleUsers::kAnonymous : RuleUsers::kNamed;
    if (!user_.empty()) written.users.push_back(user_);
  }

  AccessRules rules_;
  WrittenRules* const written_;
  std::string user_;
  TopicRules* section_ = &rules_.for_nobody_;
};

Result<AccessRules> AccessRules::parse_mosquitto(std::string_view text, std::string_view name,
                                                 WrittenRules* written) {
  return MosquittoAcl(name, written).read(text);
}

}  // namespace nightjar::auth
