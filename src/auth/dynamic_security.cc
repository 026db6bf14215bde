#include "auth/dynamic_security.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>
#include <utility>

namespace nightjar::auth {
namespace {

namespace json = boost::json;

// What belongs to a client or a group, with the priority that it has there.
struct Membership {
  std::string name;
  int priority = -1;
};

std::string text_of(const json::object& from, std::string_view key) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

bool flag_of(const json::object& from, std::string_view key, bool otherwise) {
  const json::value* found = from.if_contains(key);
  return found != nullptr && found->is_bool() ? found->get_bool() : otherwise;
}

int number_of(const json::object& from, std::string_view key, int otherwise) {
  const json::value* found = from.if_contains(key);
  if (found == nullptr || !found->is_number()) return otherwise;
  constexpr double kMost = 1e9;
  return static_cast<int>(std::clamp(found->to_number<double>(), -kMost, kMost));
}

// The objects in a list; anything else is skipped.
std::vector<const json::object*> objects_in(const json::object& from, std::string_view key) {
  std::vector<const json::object*> found;
  const json::value* list = from.if_contains(key);
  if (list == nullptr || !list->is_array()) return found;
  for (const json::value& each : list->get_array()) {
    if (each.is_object()) found.push_back(&each.get_object());
  }
  return found;
}

bool is_same_word(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

std::vector<DynamicAcl> acls_of(const json::object& role, std::string_view type) {
  std::vector<DynamicAcl> acls;
  std::set<std::string> topics;
  for (const json::object* each : objects_in(role, "acls")) {
    if (!is_same_word(text_of(*each, "acltype"), type)) continue;
    std::string topic = text_of(*each, "topic");
    if (topic.empty() || !topics.insert(topic).second) continue;
    acls.push_back({std::move(topic), number_of(*each, "priority", 0), flag_of(*each, "allow", false)});
  }
  std::stable_sort(acls.begin(), acls.end(),
                   [](const DynamicAcl& a, const DynamicAcl& b) { return a.priority > b.priority; });
  return acls;
}

// The highest priority first, then by name.
std::vector<Membership> memberships_of(const json::object& from, std::string_view list,
                                       std::string_view name_key) {
  std::vector<Membership> found;
  for (const json::object* each : objects_in(from, list)) {
    Membership one{text_of(*each, name_key), number_of(*each, "priority", -1)};
    const bool is_known = std::any_of(found.begin(), found.end(),
                                      [&one](const Membership& other) { return other.name == one.name; });
    if (!one.name.empty() && !is_known) found.push_back(std::move(one));
  }
  return found;
}

void sort_as_asked(std::vector<Membership>& of) {
  std::sort(of.begin(), of.end(), [](const Membership& a, const Membership& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.name < b.name;
  });
}

// "password", "salt" and "iterations" of 2.0, or "encoded_password" of 2.1.
std::string hash_of(const json::object& client) {
  if (std::string encoded = text_of(client, "encoded_password"); !encoded.empty()) return encoded;
  const std::string salt = text_of(client, "salt");
  const std::string digest = text_of(client, "password");
  const int rounds = number_of(client, "iterations", 0);
  if (salt.empty() || digest.empty() || rounds <= 0) return {};
  return fmt::format("$7${}${}${}", rounds, salt, digest);
}

class Reading {
 public:
  explicit Reading(const json::object& file) : file_(file) {}

  DynamicSecurity read() {
    read_default();
    read_roles();
    read_groups();
    read_clients();
    const std::string anonymous = text_of(file_, "anonymousGroup");
    if (const auto group = groups_.find(anonymous); group != groups_.end()) {
      made_.has_anonymous_group = true;
      made_.anonymous_roles = group->second;
    }
    return std::move(made_);
  }

 private:
  void read_default() {
    const json::value* found = file_.if_contains("defaultACLAccess");
    if (found == nullptr || !found->is_object()) return;
    const json::object& access = found->get_object();
    made_.may_send = flag_of(access, "publishClientSend", false);
    made_.may_receive = flag_of(access, "publishClientReceive", false);
    made_.may_subscribe = flag_of(access, "subscribe", false);
    made_.may_unsubscribe = flag_of(access, "unsubscribe", false);
  }

  void read_roles() {
    for (const json::object* each : objects_in(file_, "roles")) {
      DynamicRole role{.name = text_of(*each, "rolename"),
                       .allows_wildcards = flag_of(*each, "allowwildcardsubs", true),
                       .send = acls_of(*each, "publishClientSend"),
                       .receive = acls_of(*each, "publishClientReceive"),
                       .literals = acls_of(*each, "subscribeLiteral"),
                       .patterns = acls_of(*each, "subscribePattern")};
      for (const std::string_view type : {"unsubscribeLiteral", "unsubscribePattern"}) {
        const std::vector<DynamicAcl> acls = acls_of(*each, type);
        role.denied_unsubscribes += static_cast<std::size_t>(
            std::count_if(acls.begin(), acls.end(), [](const DynamicAcl& acl) { return !acl.is_allowed; }));
      }
      if (!role.name.empty() && made_.role(role.name) == nullptr) made_.roles.push_back(std::move(role));
    }
  }

  // Those that are there.
  std::vector<std::string> roles_of(const json::object& from) const {
    std::vector<Membership> roles = memberships_of(from, "roles", "rolename");
    sort_as_asked(roles);
    std::vector<std::string> names;
    for (Membership& role : roles) {
      if (made_.role(role.name) != nullptr) names.push_back(std::move(role.name));
    }
    return names;
  }

  void read_groups() {
    for (const json::object* each : objects_in(file_, "groups")) {
      const std::string name = text_of(*each, "groupname");
      if (name.empty() || !groups_.emplace(name, roles_of(*each)).second) continue;
      for (const Membership& member : memberships_of(*each, "clients", "username"))
        groups_of_[member.name].push_back({name, member.priority});
    }
  }

  void read_clients() {
    std::set<std::string> names;
    for (const json::object* each : objects_in(file_, "clients")) {
      DynamicClient client{.name = text_of(*each, "username"),
                           .is_disabled = flag_of(*each, "disabled", false),
                           .client_id = text_of(*each, "clientid"),
                           .hash = hash_of(*each),
                           .roles = roles_of(*each)};
      if (client.name.empty() || !names.insert(client.name).second) continue;
      std::vector<Membership>& groups = groups_of_[client.name];
      sort_as_asked(groups);
      for (const Membership& group : groups) {
        const std::vector<std::string>& roles = groups_.at(group.name);
        client.roles.insert(client.roles.end(), roles.begin(), roles.end());
      }
      made_.clients.push_back(std::move(client));
    }
  }

  const json::object& file_;
  DynamicSecurity made_;
  std::map<std::string, std::vector<std::string>> groups_;    // with their roles
  std::map<std::string, std::vector<Membership>> groups_of_;  // a client
};

}  // namespace

const DynamicRole* DynamicSecurity::role(std::string_view name) const {
  const auto found =
      std::find_if(roles.begin(), roles.end(), [name](const DynamicRole& role) { return role.name == name; });
  return found == roles.end() ? nullptr : &*found;
}

Result<DynamicSecurity> read_dynamic_security(std::string_view text, std::string_view name) {
  json::error_code error;
  const json::value parsed = json::parse(text, error);
  if (error) return fail(fmt::format("{}: this is no JSON: {}", name, error.message()));
  if (!parsed.is_object()) {
    return fail(fmt::format("{}: the file of the dynamic-security plugin is one JSON object", name));
  }
  return Reading(parsed.get_object()).read();
}

}  // namespace nightjar::auth
