#include "auth/native_access.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "auth/password_file.h"
#include "auth/password_hash.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

namespace nightjar::auth {
namespace {

constexpr std::string_view kHead =
    "# What Mosquitto's dynamic-security plugin decided, as rules: the first one that fits decides.\n"
    "precedence = \"first\"\n";
// Of everybody's topics, and of those of the broker; the plugin's default says nothing about $CONTROL.
constexpr std::string_view kEverything = R"(["#", "$SYS/#"])";
// A filter with a wildcard, as patterns for its text.
constexpr std::string_view kWildcards = R"(["*+*", "*#*"])";

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string list_of(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  out.reserve(texts.size());
  for (const std::string& each : texts) out.push_back(quoted(each));
  return fmt::format("[{}]", fmt::join(out, ", "));
}

// Whose rules are the same; none: those without a user name.
using Holders = std::vector<std::string>;

class Writing {
 public:
  explicit Writing(const DynamicSecurity& from) : from_(from) {}

  NativeAccess write() {
    made_.rules = kHead;
    for (const DynamicClient& client : from_.clients) add_password(client);
    add_client_ids();
    for (const auto& [roles, holders] : holders_of_roles()) add_rules(roles, holders);
    add_rules(from_.anonymous_roles, {});
    note_what_is_missing();
    return std::move(made_);
  }

 private:
  void differs(std::string text) {
    if (said_.insert(text).second) made_.differing.push_back(std::move(text));
  }

  // ---- passwords ----

  void add_password(const DynamicClient& client) {
    if (const std::string_view wrong = wrong_user_name(client.name); !wrong.empty())
      return differs(fmt::format("client \"{}\" is left out: {}", client.name, wrong));
    if (client.is_disabled)
      return differs(
          fmt::format("client \"{}\" is disabled: it has no line in the password file", client.name));
    if (client.hash.empty())
      return differs(fmt::format("client \"{}\" has no password: no line in the password file", client.name));
    if (const auto hash = PasswordHash::parse(client.hash); !hash) {
      return differs(fmt::format("client \"{}\" is left out of the password file: {}", client.name,
                                 hash.error().message));
    }
    made_.passwords += fmt::format("{}:{}\n", client.name, client.hash);
  }

  // ---- rules ----

  void add_client_ids() {
    std::string ids;
    for (const DynamicClient& client : from_.clients) {
      const bool is_sayable = wrong_user_name(client.name).empty() && mqtt::is_valid_utf8(client.client_id);
      if (!client.client_id.empty() && is_sayable)
        ids += fmt::format("{} = {}\n", quoted(client.name), quoted(client.client_id));
    }
    if (!ids.empty()) made_.rules += "\n[client_ids]  # who may log in with one only\n" + ids;
  }

  std::map<std::vector<std::string>, Holders> holders_of_roles() {
    std::map<std::vector<std::string>, Holders> all;
    for (const DynamicClient& client : from_.clients) {
      if (!wrong_user_name(client.name).empty()) continue;
      if (client.name == "*") {
        differs("client \"*\" has no rules: as a user in a rule it would be everybody");
        continue;
      }
      all[client.roles].push_back(client.name);
    }
    return all;
  }

  void add_rules(const std::vector<std::string>& roles, const Holders& holders) {
    for (const std::string& name : roles) add_role(*from_.role(name), holders);
    std::vector<std::string> actions;
    if (from_.may_send) actions.emplace_back("publish");
    if (from_.may_receive) actions.emplace_back("receive");
    if (from_.may_subscribe) actions.emplace_back("subscribe");
    if (actions.empty()) return;
    open(holders, "what no role says anything about");
    made_.rules += fmt::format("allow = {}\ntopics = {}\n", list_of(actions), kEverything);
  }

  void add_role(const DynamicRole& role, const Holders& holders) {
    add_acls(role, role.send, "publish", "topics", holders);
    add_acls(role, role.receive, "receive", "topics", holders);
    if (!role.allows_wildcards) {
      open(holders, fmt::format("{}: no wildcards", role.name));
      made_.rules += fmt::format("deny = \"subscribe\"\nfilters = {}\n", kWildcards);
    }
    add_acls(role, role.literals, "subscribe", "filters", holders);
    add_acls(role, role.patterns, "subscribe", "topics", holders);
  }

  // Those that follow each other with the same effect are one rule.
  void add_acls(const DynamicRole& role, const std::vector<DynamicAcl>& acls, std::string_view action,
                std::string_view key, const Holders& holders) {
    for (std::size_t first = 0; first < acls.size();) {
      std::vector<std::string> topics;
      const bool is_allowed = acls[first].is_allowed;
      for (; first < acls.size() && acls[first].is_allowed == is_allowed; ++first) {
        if (is_sayable(role, acls[first].topic, key)) topics.push_back(acls[first].topic);
      }
      if (topics.empty()) continue;
      open(holders, role.name);
      made_.rules +=
          fmt::format("{} = \"{}\"\n{} = {}\n", is_allowed ? "allow" : "deny", action, key, list_of(topics));
    }
  }

  bool is_sayable(const DynamicRole& role, const std::string& topic, std::string_view key) {
    const auto left_out = [&](std::string_view why) {
      differs(fmt::format("role \"{}\": the ACL about \"{}\" is left out: {}", role.name, topic, why));
      return false;
    };
    if (!mqtt::is_valid_utf8(topic) || !mqtt::is_valid_topic_filter(topic))
      return left_out("no topic filter");
    if (topic.starts_with("$CONTROL")) {
      differs(
          "ACLs about $CONTROL have no meaning: users and rules are files, and \"nightjar ctl reload\" "
          "reads them again");
      return false;
    }
    if (key == "filters") {
      return topic.find('*') == std::string::npos || left_out("\"*\" in a filter would stand for any text");
    }
    note_names_within_levels(role, topic);
    return true;
  }

  void note_names_within_levels(const DynamicRole& role, const std::string& topic) {
    mqtt::Levels levels(topic);
    for (std::string_view level; levels.next(level);) {
      const bool has_name =
          level.find("%c") != std::string_view::npos || level.find("%u") != std::string_view::npos;
      if (has_name && level.size() != 2) {
        differs(fmt::format(
            "role \"{}\": in \"{}\" a part of a level stands for the client's name; the plugin takes "
            "whole levels only",
            role.name, topic));
      }
    }
  }

  void open(const Holders& holders, std::string_view why) {
    std::string comment{why};
    std::replace_if(
        comment.begin(), comment.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
    made_.rules += fmt::format("\n[[rule]]  # {}\n", mqtt::is_valid_utf8(comment) ? comment : "");
    made_.rules += fmt::format("users = {}\n", holders.empty() ? quoted("#anonymous") : list_of(holders));
  }

  void note_what_is_missing() {
    for (const DynamicRole& role : from_.roles) {
      if (role.denied_unsubscribes == 0) continue;
      differs(fmt::format(
          "role \"{}\": {} ACL{} that deny to unsubscribe are left out: nobody is kept subscribed", role.name,
          role.denied_unsubscribes, role.denied_unsubscribes == 1 ? "" : "s"));
    }
    if (!from_.may_unsubscribe)
      differs("defaultACLAccess: everybody may unsubscribe, whatever \"unsubscribe\" says");
    if (from_.may_send)
      differs("defaultACLAccess: \"publishClientSend\" does not reach topics that begin with $");
  }

  const DynamicSecurity& from_;
  NativeAccess made_;
  std::set<std::string> said_;
};

}  // namespace

NativeAccess native_access(const DynamicSecurity& from) { return Writing(from).write(); }

}  // namespace nightjar::auth
