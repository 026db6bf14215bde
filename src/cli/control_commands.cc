#include "cli/control_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "base/log.h"
#include "broker/control.h"
#include "cli/ask_worker.h"
#include "cli/stats.h"
#include "cli/store_backup.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;

std::string failure(std::string_view text) {
  return json::serialize(json::object{{"ok", false}, {"error", text}});
}

std::string success() { return json::serialize(json::object{{"ok", true}}); }

constexpr std::string_view kNoAnswer = "a worker did not answer in time; the machine is overloaded";

// A number that is missing is none of the broker's shards or workers.
std::int64_t number_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : -1;
}

std::string_view text_member(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

}  // namespace

ControlCommands::ControlCommands(broker::Node& node, net::MailRoom& mail, const store::RocksStore* store)
    : node_(node), mail_(mail), store_(store), started_(node.ports().clock.now()) {}

std::string ControlCommands::answer(std::string_view request) {
  json::error_code error;
  const json::value parsed = json::parse(request, error);
  if (error || !parsed.is_object()) return failure("the request is not a JSON object");
  const json::object& asked = parsed.get_object();
  const std::string_view command = text_member(asked, "command");
  if (command == "stats") return stats();
  if (command == "kick") return kick(text_member(asked, "client"));
  if (command == "shard-move")
    return move_shard(number_member(asked, "shard"), number_member(asked, "worker"));
  if (command == "backup") return backup(text_member(asked, "directory"));
  return failure(fmt::format("this broker does not know the command \"{}\"", command));
}

std::string ControlCommands::stats() {
  auto counters = collect_counters(mail_);
  if (!counters) return failure(kNoAnswer);
  Stats stats{.version = node_.policy().version,
              .process_id = ::getpid(),
              .uptime_s = (node_.ports().clock.now() - started_).ms / 1000,
              .resident_bytes = memory_.bytes(),
              .workers = std::move(*counters)};
  if (store_ != nullptr) stats.store = store_->figures();
  return to_json(stats);
}

std::string ControlCommands::kick(std::string_view client_id) {
  const broker::WorkerIndex home = node_.owner_of(node_.shard_of(client_id));
  auto asked = ask_worker(mail_, home, [id = std::string(client_id)](broker::Worker& worker) {
    return broker::kick(worker, id);
  });
  const std::optional<bool> was_there = asked.wait();
  if (!was_there) return failure(kNoAnswer);
  return *was_there ? success() : failure(fmt::format("no client \"{}\" is connected", client_id));
}

std::string ControlCommands::move_shard(std::int64_t shard, std::int64_t worker) {
  if (shard < 0 || shard >= node_.policy().shards) {
    return failure(fmt::format("shards are numbered from 0 to {}", node_.policy().shards - 1));
  }
  if (worker < 0 || worker >= node_.worker_count()) {
    return failure(fmt::format("workers are numbered from 0 to {}", node_.worker_count() - 1));
  }
  const broker::ShardId id{static_cast<std::uint16_t>(shard)};
  const broker::WorkerIndex to{static_cast<std::uint16_t>(worker)};
  if (node_.owner_of(id) == to) return success();
  auto asked = ask_worker(mail_, node_.owner_of(id),
                          [id, to](broker::Worker& owner) { return broker::move_shard(owner, id, to); });
  const std::optional<bool> has_begun = asked.wait();
  if (!has_begun) return failure(kNoAnswer);
  return *has_begun ? success() : failure(fmt::format("shard {} is on the move already; try again", shard));
}

std::string ControlCommands::backup(std::string_view directory) {
  if (store_ == nullptr) return failure("this broker keeps nothing: durability = \"memory\"");
  const std::filesystem::path target{directory};
  if (!target.is_absolute()) return failure("the directory of a backup must be absolute");
  const auto made =
      back_up(target, [this](const std::filesystem::path& into) { return store_->backup(into); });
  if (!made) return failure(made.error().message);
  log::info(fmt::format("backup made in {}", target.string()));
  return success();
}

}  // namespace nightjar::cli
