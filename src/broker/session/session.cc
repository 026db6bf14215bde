#include "broker/session/session.h"

#include <fmt/format.h>

#include "base/log.h"
#include "broker/session/lifecycle.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// A slow client is worth a line, not a line for each message it loses.
constexpr Duration kDropLogInterval = Duration::seconds(60);

std::string drop_summary(const std::array<std::uint32_t, kDropReasons>& drops) {
  std::string text;
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (drops[i] == 0) continue;
    if (!text.empty()) text += ' ';
    fmt::format_to(std::back_inserter(text), "{}={}", to_string(static_cast<DropReason>(i)), drops[i]);
  }
  return text;
}

}  // namespace

Session::Session(WorkerState& home, std::string id, ShardId shard_id, SessionSerial session_serial,
                 const ListenerPolicy& listener)
    : worker(&home),
      client_id(std::move(id)),
      client_id_hash(std::hash<std::string>{}(client_id)),
      serial(session_serial),
      policy(&listener),
      shard(shard_id),
      upgrades_qos(listener.upgrades_qos),
      timer(&Session::on_timer, this) {}

void Session::count_drop(DropReason reason) {
  if (!drops) drops = std::make_unique<std::array<std::uint32_t, kDropReasons>>();
  ++(*drops)[static_cast<std::size_t>(reason)];
  const bool is_due = drops_logged.ms == INT64_MIN || worker->now - drops_logged >= kDropLogInterval;
  if (!is_due || reason == DropReason::kOffline) return;
  drops_logged = worker->now;
  log::warn("messages dropped", {{"client", client_id}, {"drops", drop_summary(*drops)}});
}

void Session::on_timer(void* session) {
  auto& self = *static_cast<Session*>(session);
  on_session_timer(*self.worker, self);
}

}  // namespace nightjar::broker
