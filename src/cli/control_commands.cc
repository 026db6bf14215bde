#include "cli/control_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <optional>
#include <utility>

#include "base/log.h"
#include "broker/client_list.h"
#include "broker/control.h"
#include "cli/ask_worker.h"
#include "cli/client_json.h"
#include "cli/stats.h"
#include "cli/store_backup.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

// A page of clients unless the request says otherwise.
constexpr std::int64_t kClientsPerAnswer = 1000;

ControlResponse success() { return {200, json::serialize(json::object{{"ok", true}})}; }

ControlResponse no_answer() {
  return control_error(503, "a worker did not answer in time; the machine is overloaded");
}

// An empty body is an empty object.
std::optional<json::object> object_of(const ControlRequest& request) {
  if (request.body.empty()) return json::object{};
  json::error_code error;
  const json::value parsed = json::parse(request.body, error);
  if (error || !parsed.is_object()) return std::nullopt;
  return parsed.get_object();
}

// A number that is missing is none of the broker's shards or workers.
std::int64_t number_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : -1;
}

std::string text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// -1 if it is none.
std::int64_t number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0 ? number : -1;
}

}  // namespace

ControlCommands::ControlCommands(broker::Node& node, net::MailRoom& mail, const store::RocksStore* store,
                                 Certificates certificates)
    : node_(node),
      mail_(mail),
      store_(store),
      certificates_(std::move(certificates)),
      started_(node.ports().clock.now()) {
  using Arguments = ControlRoute::Arguments;
  routes_ = {
      {"GET", "/api/v1", [this](const ControlRequest&, const Arguments&) { return list_routes(); }},
      {"GET", "/api/v1/stats", [this](const ControlRequest&, const Arguments&) { return stats(); }},
      {"GET", "/api/v1/clients",
       [this](const ControlRequest& request, const Arguments&) { return list_clients(request); }},
      {"GET", "/api/v1/clients/{id}",
       [this](const ControlRequest&, const Arguments& found) { return show_client(found[0]); }},
      {"DELETE", "/api/v1/clients/{id}",
       [this](const ControlRequest&, const Arguments& found) { return kick(found[0]); }},
      {"POST", "/api/v1/shards/{number}/move",
       [this](const ControlRequest& request, const Arguments& found) {
         return move_shard(found[0], request);
       }},
      {"POST", "/api/v1/backup",
       [this](const ControlRequest& request, const Arguments&) { return backup(request); }},
  };
}

ControlResponse ControlCommands::list_routes() {
  json::array known;
  for (const ControlRoute& route : routes_)
    known.emplace_back(fmt::format("{} {}", route.method, route.path));
  return {200, json::serialize(json::object{{"paths", std::move(known)}})};
}

ControlResponse ControlCommands::stats() {
  auto counters = collect_counters(mail_);
  if (!counters) return no_answer();
  Stats stats{.version = node_.policy().version,
              .process_id = ::getpid(),
              .uptime_s = (node_.ports().clock.now() - started_).ms / 1000,
              .resident_bytes = memory_.bytes(),
              .stranger_bytes = node_.stranger_bytes().load(std::memory_order_relaxed),
              .workers = std::move(*counters)};
  if (store_ != nullptr) stats.store = store_->figures();
  stats.certificates = certificates_();
  return {200, to_json(stats)};
}

// Shard by shard, so that no worker is held up by a long list.
ControlResponse ControlCommands::list_clients(const ControlRequest& request) {
  const auto limit = request.query.find("limit");
  const std::int64_t most = limit == request.query.end() ? kClientsPerAnswer : number_of(limit->second);
  if (most < 1) return control_error(400, "\"limit\" is a number from 1 on");
  const auto match = request.query.find("match");
  ClientPage page{.match = match == request.query.end() ? "" : match->second,
                  .clients_max = static_cast<std::size_t>(most)};
  for (std::uint16_t shard = 0; shard < node_.policy().shards && !page.is_full(); ++shard) {
    auto asked = ask_worker(mail_, node_.owner_of({shard}),
                            [shard](broker::Worker& worker) { return broker::clients_of(worker, {shard}); });
    auto clients = asked.wait();
    if (!clients) return no_answer();
    page.add(std::move(*clients));
  }
  return {200, page.to_json()};
}

ControlResponse ControlCommands::show_client(std::string_view client_id) {
  const broker::ShardId shard = node_.shard_of(client_id);
  auto asked = ask_worker(mail_, node_.owner_of(shard),
                          [shard](broker::Worker& worker) { return broker::clients_of(worker, shard); });
  const auto clients = asked.wait();
  if (!clients) return no_answer();
  const auto found = std::find_if(clients->begin(), clients->end(),
                                  [&](const auto& client) { return client.client_id == client_id; });
  if (found == clients->end()) {
    return control_error(404, fmt::format("no client \"{}\" is connected or has a session here", client_id));
  }
  return {200, client_json(*found)};
}

ControlResponse ControlCommands::kick(std::string_view client_id) {
  const broker::WorkerIndex home = node_.owner_of(node_.shard_of(client_id));
  auto asked = ask_worker(mail_, home, [id = std::string(client_id)](broker::Worker& worker) {
    return broker::kick(worker, id);
  });
  const std::optional<bool> was_there = asked.wait();
  if (!was_there) return no_answer();
  return *was_there ? success() : control_error(404, fmt::format("no client \"{}\" is connected", client_id));
}

ControlResponse ControlCommands::move_shard(std::string_view number, const ControlRequest& request) {
  const auto given = object_of(request);
  if (!given) return control_error(400, "the body of the request is no JSON object");
  const std::int64_t shard = number_of(number);
  const std::int64_t worker = number_member(*given, "worker");
  if (shard < 0 || shard >= node_.policy().shards) {
    return control_error(404, fmt::format("shards are numbered from 0 to {}", node_.policy().shards - 1));
  }
  if (worker < 0 || worker >= node_.worker_count()) {
    return control_error(400, fmt::format("workers are numbered from 0 to {}", node_.worker_count() - 1));
  }
  const broker::ShardId id{static_cast<std::uint16_t>(shard)};
  const broker::WorkerIndex to{static_cast<std::uint16_t>(worker)};
  if (node_.owner_of(id) == to) return success();
  auto asked = ask_worker(mail_, node_.owner_of(id),
                          [id, to](broker::Worker& owner) { return broker::move_shard(owner, id, to); });
  const std::optional<bool> has_begun = asked.wait();
  if (!has_begun) return no_answer();
  if (*has_begun) return success();
  return control_error(409, fmt::format("shard {} is on the move already; try again", shard));
}

ControlResponse ControlCommands::backup(const ControlRequest& request) {
  if (store_ == nullptr) return control_error(409, "this broker keeps nothing: durability = \"memory\"");
  const auto given = object_of(request);
  const std::filesystem::path target{given ? text_member(*given, "directory") : ""};
  if (!target.is_absolute()) return control_error(400, "the directory of a backup must be absolute");
  const auto made =
      back_up(target, [this](const std::filesystem::path& into) { return store_->backup(into); });
  if (!made) return control_error(409, made.error().message);
  log::info(fmt::format("backup made in {}", target.string()));
  return success();
}

}  // namespace nightjar::cli
