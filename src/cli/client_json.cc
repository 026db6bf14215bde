#include "cli/client_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <numeric>
#include <utility>

namespace nightjar::cli {
namespace {

namespace json = boost::json;

std::string_view version_name(mqtt::Version version) {
  switch (version) {
    case mqtt::Version::k31:
      return "3.1";
    case mqtt::Version::k311:
      return "3.1.1";
    case mqtt::Version::k5:
      break;
  }
  return "5.0";
}

// Those reasons that there are.
json::object drops_of(const broker::ClientInfo& client) {
  json::object out;
  for (std::size_t i = 0; i < client.dropped.size(); ++i) {
    if (client.dropped[i] != 0) out[to_string(static_cast<broker::DropReason>(i))] = client.dropped[i];
  }
  return out;
}

json::object object_of(const broker::ClientInfo& client) {
  json::object out{
      {"client_id", client.client_id},
      {"user", client.user_name},
      {"listener", client.listener},
      {"connected", client.is_connected},
      {"session_expiry_s", client.session_expiry_s},
      {"subscriptions", client.subscriptions},
      {"queued", client.queued},
      {"queued_bytes", client.queued_bytes},
      {"in_flight", client.in_flight},
      {"dropped", std::accumulate(client.dropped.begin(), client.dropped.end(), std::uint64_t{0})},
      {"drops", drops_of(client)}};
  if (!client.is_connected) return out;
  out["peer"] = client.peer;
  out["version"] = version_name(client.version);
  out["connected_s"] = client.connected_for.ms / 1000;
  out["keep_alive_s"] = client.keep_alive_s;
  out["unsent_bytes"] = client.unsent_bytes;
  return out;
}

std::string text(const json::object& client, std::string_view name) {
  const json::value* value = client.if_contains(name);
  if (value == nullptr) return "-";
  // As JSON, so that no client id can send escapes to a terminal.
  std::string shown = json::serialize(*value);
  if (value->is_string()) shown = shown.substr(1, shown.size() - 2);
  return shown.empty() ? "-" : shown;
}

}  // namespace

std::string client_json(const broker::ClientInfo& client) { return json::serialize(object_of(client)); }

void ClientPage::add(std::vector<broker::ClientInfo> more) {
  for (broker::ClientInfo& client : more) {
    if (client.client_id.find(match) == std::string::npos) continue;
    is_cut = clients.size() == clients_max;
    if (is_cut) return;
    clients.push_back(std::move(client));
  }
}

std::string ClientPage::to_json() {
  std::sort(clients.begin(), clients.end(),
            [](const auto& a, const auto& b) { return a.client_id < b.client_id; });
  json::array listed;
  for (const broker::ClientInfo& client : clients) listed.push_back(object_of(client));
  return json::serialize(json::object{{"clients", std::move(listed)}, {"more", is_cut}});
}

Result<std::string> clients_table(std::string_view answer) {
  json::error_code error;
  const json::value parsed = json::parse(answer, error);
  const json::object* object = error ? nullptr : parsed.if_object();
  const json::value* clients = object != nullptr ? object->if_contains("clients") : nullptr;
  if (clients == nullptr || !clients->is_array()) return fail("the broker's answer is no list of clients");
  std::string out;
  const auto row = [&out](auto... cells) {
    fmt::format_to(std::back_inserter(out), "{:<28} {:<14} {:<24} {:>7} {:>6} {:>8} {:>9} {:>8}\n", cells...);
  };
  row("CLIENT", "USER", "PEER", "VERSION", "SUBS", "QUEUED", "IN FLIGHT", "DROPPED");
  for (const json::value& each : clients->get_array()) {
    const json::object* client = each.if_object();
    if (client == nullptr) continue;
    const std::string peer = text(*client, "peer");
    row(text(*client, "client_id"), text(*client, "user"), peer == "-" ? "(away)" : peer,
        text(*client, "version"), text(*client, "subscriptions"), text(*client, "queued"),
        text(*client, "in_flight"), text(*client, "dropped"));
  }
  const json::value* more = object->if_contains("more");
  if (more != nullptr && more->is_bool() && more->get_bool())
    out += "... and more; --limit shows more of them, --match those whose id contains a text\n";
  return out;
}

}  // namespace nightjar::cli
