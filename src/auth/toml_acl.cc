// Nightjar's own file of rules, TOML: a list of [[rule]]. docs/guide/en/access.md tells what they mean.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "auth/access_rules.h"
#include "base/toml.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

namespace nightjar::auth {
namespace {

// Users times topics of all rules together: some 100 MB.
constexpr std::size_t kEntriesMax = 1'000'000;

constexpr std::array<std::string_view, 7> kKeys{"allow", "deny",    "topics",   "filters",
                                                "users", "clients", "listeners"};
constexpr std::string_view kAnyUser = "*";
// No user's name begins like that in a rule: it would be a comment in a password file.
constexpr std::string_view kAnonymous = "#anonymous";

std::optional<std::uint8_t> action_of(std::string_view name) {
  if (name == "publish") return kPublish;
  if (name == "subscribe") return kSubscribe;
  if (name == "receive") return kReceive;
  if (name == "all") return kAllActions;
  return std::nullopt;
}

}  // namespace

class TomlAcl {
 public:
  TomlAcl(std::string_view name, WrittenRules* written)
      : rules_(Precedence::kDenyFirst, name), written_(written) {}

  Result<AccessRules> read(std::string_view text) {
    try {
      const toml::table file = toml::parse(text, std::string_view(rules_.name_));
      NJ_CHECK(read_file(file));
    } catch (const toml::parse_error& error) {
      return wrong(error.source(), std::string(error.description()));
    } catch (const TomlMisread& misread) {
      return fail(fmt::format("{}: {}", rules_.name_, misread.what()));
    }
    return std::move(rules_);
  }

 private:
  tl::unexpected<Error> wrong(const toml::source_region& where, std::string_view why) const {
    return fail(fmt::format("{}:{}:{}: {}", rules_.name_, where.begin.line, where.begin.column, why));
  }

  Result<void> read_file(const toml::table& file) {
    for (const auto& [key, value] : file) {
      if (key.str() == "precedence") {
        NJ_CHECK(read_precedence(value));
        continue;
      }
      if (key.str() == "client_ids") {
        NJ_CHECK(read_client_ids(value));
        continue;
      }
      if (key.str() != "rule") {
        return wrong(key.source(),
                     fmt::format("unknown key \"{}\"; the file knows \"precedence\", [client_ids] "
                                 "and a list of [[rule]]",
                                 key.str()));
      }
      const toml::array* rules = value.as_array();
      if (rules == nullptr)
        return wrong(value.source(), "rules are a list: write [[rule]] with two brackets");
      for (const toml::node& each : *rules) {
        const toml::table* rule = each.as_table();
        if (rule == nullptr) return wrong(each.source(), "a rule is a table: write [[rule]]");
        NJ_CHECK(read_rule(*rule));
      }
    }
    return {};
  }

  Result<void> read_precedence(const toml::node& value) {
    const auto text = value.value_exact<std::string>();
    if (!text || (*text != "deny" && *text != "first")) {
      return wrong(value.source(),
                   "\"precedence\" is \"deny\" (what any rule denies is denied) or \"first\" (the first rule "
                   "that fits decides)");
    }
    rules_.precedence_ = *text == "first" ? Precedence::kFirst : Precedence::kDenyFirst;
    if (written_ != nullptr) written_->first_wins = *text == "first";
    return {};
  }

  Result<void> read_client_ids(const toml::node& value) {
    const toml::table* ids = value.as_table();
    if (ids == nullptr) return wrong(value.source(), "the client ids are a table: [client_ids]");
    for (const auto& [user, id] : *ids) {
      const auto text = id.value_exact<std::string>();
      if (!text || text->empty())
        return wrong(id.source(), fmt::format("the client id of \"{}\" must be a string", user.str()));
      rules_.client_ids_.insert_or_assign(std::string(user.str()), *text);
    }
    return {};
  }

  // A string, or a list of strings.
  Result<std::vector<std::string>> texts(const toml::table& rule, std::string_view key) const {
    std::vector<std::string> found;
    const toml::node* node = rule.get(key);
    if (node == nullptr) return found;
    const auto add = [&](const toml::node& each) -> Result<void> {
      const auto text = each.value_exact<std::string>();
      if (!text || text->empty())
        return wrong(each.source(), fmt::format("\"{}\" must be a string, or a list of strings", key));
      found.push_back(*text);
      return {};
    };
    const toml::array* list = node->as_array();
    if (list == nullptr) {
      NJ_CHECK(add(*node));
      return found;
    }
    // Nobody means by an empty list what a missing one means.
    if (list->empty()) return wrong(node->source(), fmt::format("\"{}\" is empty", key));
    for (const toml::node& each : *list) NJ_CHECK(add(each));
    return found;
  }

  Result<Rule> effect_of(const toml::table& table) const {
    Rule rule{.actions = 0, .line = table.source().begin.line};
    const bool allows = table.contains("allow");
    if (allows == table.contains("deny")) {
      return wrong(
          table.source(),
          "a rule says either allow or deny: allow = \"publish\", deny = [\"subscribe\", \"receive\"]");
    }
    rule.is_denied = !allows;
    const std::string_view key = allows ? "allow" : "deny";
    NJ_TRY(const std::vector<std::string> names, texts(table, key));
    for (const std::string& name : names) {
      const auto action = action_of(name);
      if (!action) {
        return wrong(
            table.get(key)->source(),
            fmt::format("\"{}\" is none of \"publish\", \"subscribe\", \"receive\" and \"all\"", name));
      }
      rule.actions = static_cast<std::uint8_t>(rule.actions | *action);
    }
    return rule;
  }

  // Those that are named; whether anybody is goes into `condition`.
  Result<std::vector<std::string>> users_of(const toml::table& table,
                                            AccessRules::Condition& condition) const {
    using User = AccessRules::Condition::User;
    NJ_TRY(std::vector<std::string> users, texts(table, "users"));
    for (const std::string& user : users) {
      if (user != kAnyUser && user != kAnonymous) continue;
      if (users.size() != 1)
        return wrong(table.get("users")->source(), fmt::format("\"{}\" stands alone in \"users\"", user));
      condition.user = user == kAnyUser ? User::kSome : User::kNone;
      return std::vector<std::string>{};
    }
    return users;
  }

  Result<void> read_rule(const toml::table& table) {
    for (const auto& [key, value] : table) {
      if (std::find(kKeys.begin(), kKeys.end(), key.str()) == kKeys.end())
        return wrong(key.source(),
                     fmt::format("unknown key \"{}\"; a rule knows {}", key.str(), fmt::join(kKeys, ", ")));
    }
    NJ_TRY(Rule rule, effect_of(table));
    AccessRules::Condition condition;
    NJ_TRY(const std::vector<std::string> users, users_of(table, condition));
    NJ_TRY(condition.clients, texts(table, "clients"));
    NJ_TRY(condition.listeners, texts(table, "listeners"));
    NJ_TRY(const What what, what_of(table, rule));
    if (written_ != nullptr) note(rule, users, condition, what);
    rule.condition = entered(std::move(condition));
    rule.order = static_cast<std::uint32_t>(++rules_.size_);
    return enter(rule, users, what, table);
  }

  // What a rule is about.
  struct What {
    std::vector<std::string> topics;
    std::vector<std::string> filters;
  };
  Result<What> what_of(const toml::table& table, const Rule& rule) const {
    What what;
    NJ_TRY(what.topics, texts(table, "topics"));
    NJ_TRY(what.filters, texts(table, "filters"));
    if (what.topics.empty() && what.filters.empty())
      return wrong(table.source(), "a rule names its topics: topics = [\"plant/#\"]");
    if (!what.filters.empty() && rule.actions != kSubscribe) {
      return wrong(table.get("filters")->source(),
                   "\"filters\" is about the text of a SUBSCRIBE: allow or deny \"subscribe\" only");
    }
    for (const std::string& topic : what.topics) {
      if (!mqtt::is_valid_utf8(topic) || !mqtt::is_valid_topic_filter(topic)) {
        return wrong(
            table.get("topics")->source(),
            fmt::format("\"{}\" is no topic filter: + and # stand alone between slashes, # at the end",
                        topic));
      }
    }
    return what;
  }

  void note(const Rule& rule, const std::vector<std::string>& users, const AccessRules::Condition& condition,
            const What& what) {
    using User = AccessRules::Condition::User;
    RuleUsers about = users.empty() ? RuleUsers::kAnybody : RuleUsers::kNamed;
    if (condition.user == User::kSome) about = RuleUsers::kWithName;
    if (condition.user == User::kNone) about = RuleUsers::kAnonymous;
    written_->rules.push_back({.line = rule.line,
                               .is_denied = rule.is_denied,
                               .actions = rule.actions,
                               .about = about,
                               .users = users,
                               .clients = condition.clients,
                               .listeners = condition.listeners,
                               .topics = what.topics,
                               .filters = what.filters});
  }

  std::uint32_t entered(AccessRules::Condition condition) {
    const bool is_none = condition.clients.empty() && condition.listeners.empty() &&
                         condition.user == AccessRules::Condition::User::kAny;
    if (is_none) return 0;
    rules_.conditions_.push_back(std::move(condition));
    return static_cast<std::uint32_t>(rules_.conditions_.size() - 1);
  }

  Result<void> enter(const Rule& rule, const std::vector<std::string>& users, const What& what,
                     const toml::table& table) {
    entries_ += std::max<std::size_t>(users.size(), 1) * (what.topics.size() + what.filters.size());
    if (entries_ > kEntriesMax) {
      return wrong(table.source(),
                   fmt::format("more than {} users and topics in all rules; use %u for the name of the user",
                               kEntriesMax));
    }
    const auto add_to = [&](TopicRules& into) {
      for (const std::string& topic : what.topics) into.add(topic, rule, Substitution::kNames);
      for (const std::string& filter : what.filters) into.add_text(filter, rule);
    };
    if (users.empty()) add_to(rules_.for_anybody_);
    for (const std::string& user : users) add_to(rules_.by_user_[user]);
    return {};
  }

  AccessRules rules_;
  WrittenRules* const written_;
  std::size_t entries_ = 0;
};

Result<AccessRules> AccessRules::parse_toml(std::string_view text, std::string_view name,
                                            WrittenRules* written) {
  return TomlAcl(name, written).read(text);
}

}  // namespace nightjar::auth
