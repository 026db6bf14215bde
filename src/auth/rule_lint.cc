#include "auth/rule_lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "mqtt/topic.h"

namespace nightjar::auth {
namespace {

// Each rule is compared with each other one: some seconds.
constexpr std::size_t kComparedMax = 10'000;

constexpr std::size_t kNamedMax = 10;  // users without a rule; more are counted only

bool contains_all(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  return std::all_of(narrow.begin(), narrow.end(), [&](const std::string& one) {
    return std::find(wide.begin(), wide.end(), one) != wide.end();
  });
}

// An empty list is everybody.
bool is_as_wide(const std::vector<std::string>& wide, const std::vector<std::string>& narrow) {
  return wide.empty() || (!narrow.empty() && contains_all(wide, narrow));
}

bool is_about_all_users(const WrittenRule& wide, const WrittenRule& narrow) {
  switch (wide.about) {
    case RuleUsers::kAnybody:
      return true;
    case RuleUsers::kWithName:
      return narrow.about == RuleUsers::kWithName || narrow.about == RuleUsers::kNamed;
    case RuleUsers::kAnonymous:
      return narrow.about == RuleUsers::kAnonymous;
    case RuleUsers::kNamed:
      break;
  }
  return narrow.about == RuleUsers::kNamed && contains_all(wide.users, narrow.users);
}

bool has_all_topics(const WrittenRule& wide, const WrittenRule& narrow) {
  return std::all_of(narrow.topics.begin(), narrow.topics.end(), [&](const std::string& topic) {
    return std::any_of(wide.topics.begin(), wide.topics.end(),
                       [&](const std::string& other) { return covers(other, topic); });
  });
}

// Whenever `narrow` applies `wide` does, too.
bool includes(const WrittenRule& wide, const WrittenRule& narrow) {
  return (narrow.actions & ~wide.actions) == 0 && is_about_all_users(wide, narrow) &&
         is_as_wide(wide.clients, narrow.clients) && is_as_wide(wide.listeners, narrow.listeners) &&
         has_all_topics(wide, narrow) && contains_all(wide.filters, narrow.filters);
}

class Lint {
 public:
  Lint(const WrittenRules& written, std::string_view name, const RuleAudience& audience)
      : written_(written), name_(name), audience_(audience) {}

  std::vector<std::string> findings() {
    for (const WrittenRule& rule : written_.rules) {
      look_at_names(rule);
      look_at_topics(rule);
    }
    look_at_pairs();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.line < b.line; });
    std::vector<std::string> lines;
    for (const Finding& finding : found_)
      lines.push_back(fmt::format("{}:{}: {}", name_, finding.line, finding.text));
    look_at_users(lines);
    return lines;
  }

 private:
  struct Finding {
    std::uint32_t line = 0;
    std::string text;
  };

  void add(const WrittenRule& rule, std::string_view text) {
    Finding& finding = found_.emplace_back();
    finding.line = rule.line;
    finding.text = text;
  }

  void look_at_names(const WrittenRule& rule) {
    for (const std::string& user : rule.users) {
      const bool is_known = audience_.has_other_users || audience_.users.contains(user);
      // A section of Mosquitto's file has many lines, and the user is named once.
      if (is_known || (written_.is_mosquitto && !told_users_.insert(user).second)) continue;
      add(rule, fmt::format("no password file has the user \"{}\"; correct the name, or take it out", user));
    }
    for (const std::string& listener : rule.listeners) {
      if (audience_.listeners.contains(listener)) continue;
      add(rule,
          fmt::format("no listener \"{}\" uses these rules; correct the name, or take it out", listener));
    }
    if (rule.about != RuleUsers::kAnonymous || audience_.has_anonymous || is_anonymous_told_) return;
    is_anonymous_told_ = true;
    add(rule, written_.is_mosquitto
                  ? "lines before the first \"user\" are for anonymous clients, and none may enter"
                  : "the rule never applies: it is for anonymous clients, and none may enter");
  }

  void look_at_users(std::vector<std::string>& lines) const {
    std::set<std::string_view> allowed;
    for (const WrittenRule& rule : written_.rules) {
      if (rule.is_denied) continue;
      if (rule.about == RuleUsers::kAnybody || rule.about == RuleUsers::kWithName) return;
      allowed.insert(rule.users.begin(), rule.users.end());
    }
    std::size_t count = 0;
    for (const std::string& user : audience_.users) {
      if (allowed.contains(user) || ++count > kNamedMax) continue;
      lines.push_back(fmt::format("{}: no rule allows anything to the user \"{}\"", name_, user));
    }
    if (count > kNamedMax)
      lines.push_back(fmt::format("{}: nor to {} other users", name_, count - kNamedMax));
  }

  void look_at_topics(const WrittenRule& rule) {
    for (const std::string& topic : rule.topics) {
      const bool has_name = topic.find("%c") != std::string::npos || topic.find("%u") != std::string::npos;
      if (has_name && !rule.has_names)
        add(rule, fmt::format("in \"topic {}\" %c and %u stand for themselves; write \"pattern\"", topic));
      if (has_name && rule.about == RuleUsers::kAnonymous && topic.find("%u") != std::string::npos)
        add(rule, fmt::format("\"{}\" is no topic of an anonymous client, who has no name for %u", topic));
      const bool is_of_broker = topic == "$SYS" || topic.starts_with("$SYS/");
      if (is_of_broker && !rule.is_denied && rule.actions == kPublish)
        add(rule, fmt::format("nobody but the broker publishes to \"{}\"", topic));
    }
  }

  void look_at_pairs() {
    const std::vector<WrittenRule>& rules = written_.rules;
    if (rules.size() > kComparedMax) {
      found_.push_back(
          {1, fmt::format("more than {} rules: they are not compared with each other", kComparedMax)});
      return;
    }
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (written_.first_wins) {
        look_for_earlier(i);
      } else if (!look_for_denial(rules[i])) {
        look_for_another(i);
      }
    }
  }

  void look_for_earlier(std::size_t number) {
    const WrittenRule& rule = written_.rules[number];
    for (std::size_t i = 0; i < number; ++i) {
      if (!includes(written_.rules[i], rule)) continue;
      return add(rule, fmt::format("the rule never applies: line {} comes first and decides all of it",
                                   written_.rules[i].line));
    }
  }

  // In Mosquitto's file what is said about the user of a client comes before patterns.
  [[nodiscard]] bool has_a_say(const WrittenRule& wide, const WrittenRule& narrow) const {
    return !written_.is_mosquitto || (wide.about == narrow.about && wide.has_names == narrow.has_names);
  }

  bool look_for_denial(const WrittenRule& rule) {
    if (rule.is_denied) return false;
    for (const WrittenRule& other : written_.rules) {
      if (!other.is_denied || !has_a_say(other, rule) || !includes(other, rule)) continue;
      add(rule, fmt::format("the rule never applies: line {} denies all that it allows", other.line));
      return true;
    }
    return false;
  }

  // Of two that say the same the later one is too many.
  void look_for_another(std::size_t number) {
    const WrittenRule& rule = written_.rules[number];
    for (std::size_t i = 0; i < written_.rules.size(); ++i) {
      const WrittenRule& other = written_.rules[i];
      if (i == number || other.is_denied != rule.is_denied || !has_a_say(other, rule)) continue;
      if (!includes(other, rule) || (i > number && includes(rule, other))) continue;
      return add(rule, fmt::format("the rule says nothing that line {} does not say", other.line));
    }
  }

  const WrittenRules& written_;
  const std::string_view name_;
  const RuleAudience& audience_;
  std::set<std::string, std::less<>> told_users_;
  bool is_anonymous_told_ = false;
  std::vector<Finding> found_;
};

}  // namespace

bool covers(std::string_view wide, std::string_view narrow) {
  mqtt::Levels wide_levels(wide);
  mqtt::Levels narrow_levels(narrow);
  bool is_first = true;
  for (std::string_view here; wide_levels.next(here); is_first = false) {
    std::string_view there;
    const bool is_there = narrow_levels.next(there);
    // No wildcard stands for a first level that begins with $ [MQTT-4.7.2-1].
    const bool is_wild = !is_first || !narrow.starts_with('$');
    if (here == "#") return is_wild;  // also the level above it [MQTT-4.7.1-2]
    if (!is_there || there == "#") return false;
    if (here != there && (here != "+" || !is_wild)) return false;
  }
  std::string_view more;
  return !narrow_levels.next(more);
}

std::vector<std::string> lint(const WrittenRules& written, std::string_view name,
                              const RuleAudience& audience) {
  return Lint(written, name, audience).findings();
}

}  // namespace nightjar::auth
