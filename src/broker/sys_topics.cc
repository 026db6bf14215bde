#include "broker/sys_topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "broker/routing/router.h"
#include "broker/worker.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

constexpr std::array<double, 3> kLoadMinutes{1, 5, 15};

void publish(WorkerState& worker, std::string_view name, std::string_view value) {
  const std::string topic = fmt::format("$SYS/broker/{}", name);
  const MessageRef present = worker.node.retained().find(topic);
  if (present && as_text(present->payload()) == value) return;
  const MessageRef message = Message::make({.topic = topic, .payload = as_bytes(value), .retain = true});
  if (worker.node.retained().store(message)) route(worker, message);
}

void publish(WorkerState& worker, std::string_view name, std::int64_t value) {
  publish(worker, name, std::to_string(value));
}
void publish(WorkerState& worker, std::string_view name, std::uint64_t value) {
  publish(worker, name, std::to_string(value));
}

void publish_load(WorkerState& worker, std::string_view name, LoadAverage& load, std::uint64_t total,
                  double seconds) {
  load.update(total, seconds);
  for (std::size_t i = 0; i < kLoadMinutes.size(); ++i) {
    publish(worker, fmt::format("load/{}/{}min", name, kLoadMinutes[i]),
            fmt::format("{:.2f}", load.per_minute[i]));
  }
}

void publish_clients(WorkerState& worker, SysTopics& sys) {
  const Counters& sum = sys.sum;
  const std::int64_t connected = sum.clients_connected;
  const std::int64_t away = sum.sessions - connected;
  sys.clients_maximum = std::max(sys.clients_maximum, connected);
  publish(worker, "clients/total", sum.sessions);
  publish(worker, "clients/connected", connected);
  publish(worker, "clients/active", connected);
  publish(worker, "clients/disconnected", away);
  publish(worker, "clients/inactive", away);
  publish(worker, "clients/maximum", sys.clients_maximum);
  publish(worker, "clients/expired", sum.sessions_expired);
}

void publish_traffic(WorkerState& worker, const Counters& sum) {
  publish(worker, "messages/received", sum.packets_received);
  publish(worker, "messages/sent", sum.packets_sent);
  publish(worker, "publish/messages/received", sum.publish_received);
  publish(worker, "publish/messages/sent", sum.publish_sent);
  publish(worker, "publish/messages/dropped", sum.ledger.dropped_total());
  publish(worker, "publish/bytes/received", sum.publish_bytes_received);
  publish(worker, "publish/bytes/sent", sum.publish_bytes_sent);
  publish(worker, "bytes/received", sum.bytes_received);
  publish(worker, "bytes/sent", sum.bytes_sent);
}

void publish_stores(WorkerState& worker, const Counters& sum) {
  const RetainedMessages& retained = worker.node.retained();
  const std::int64_t queued = sum.ledger.waiting + sum.ledger.in_flight;
  publish(worker, "subscriptions/count", sum.subscriptions);
  publish(worker, "shared_subscriptions/count", sum.shared_subscriptions);
  publish(worker, "retained messages/count", retained.count());
  publish(worker, "messages/stored", static_cast<std::int64_t>(retained.count()) + queued);
  publish(worker, "store/messages/count", static_cast<std::int64_t>(retained.count()) + queued);
  publish(worker, "store/messages/bytes", retained.bytes());
}

void publish_all(WorkerState& worker, SysTopics& sys) {
  const Counters& sum = sys.sum;
  publish(worker, "version", fmt::format("nightjar version {}", worker.node.policy().version));
  publish(worker, "uptime", fmt::format("{} seconds", (worker.now - worker.started).ms / 1000));
  publish_clients(worker, sys);
  publish_traffic(worker, sum);
  publish_stores(worker, sum);
  const double seconds =
      static_cast<double>(worker.now.ms - std::exchange(sys.last_ms, worker.now.ms)) / 1000.0;
  publish_load(worker, "messages/received", sys.messages_received, sum.packets_received, seconds);
  publish_load(worker, "messages/sent", sys.messages_sent, sum.packets_sent, seconds);
  publish_load(worker, "publish/received", sys.publish_received, sum.publish_received, seconds);
  publish_load(worker, "publish/sent", sys.publish_sent, sum.publish_sent, seconds);
  publish_load(worker, "publish/dropped", sys.publish_dropped, sum.ledger.dropped_total(), seconds);
  publish_load(worker, "bytes/received", sys.bytes_received, sum.bytes_received, seconds);
  publish_load(worker, "bytes/sent", sys.bytes_sent, sum.bytes_sent, seconds);
  publish_load(worker, "connections", sys.connections, sum.connections_opened, seconds);
}

void take_answer(Worker& first, const Counters& part) {
  SysTopics& sys = *first.state().sys_topics;
  add(sys.sum, part);
  if (--sys.answers_missing == 0) publish_all(first.state(), sys);
}

void ask(Worker& asked) {
  const Counters counters = asked.counters();
  asked.state().mailer.post({0}, TaskMail{[counters](Worker& first) { take_answer(first, counters); }});
}

void on_interval(void* context) {
  WorkerState& worker = *static_cast<WorkerState*>(context);
  SysTopics& sys = *worker.sys_topics;
  worker.timers.arm(*worker.sys_timer, worker.now + worker.node.policy().sys_interval);
  // A worker that is too busy to have answered yet delays the next round rather than mixing two.
  if (sys.answers_missing != 0) return;
  sys.sum = {};
  sys.answers_missing = worker.node.worker_count();
  for (std::uint16_t other = 0; other < worker.node.worker_count(); ++other) {
    worker.mailer.post({other}, TaskMail{ask});
  }
}

}  // namespace

void LoadAverage::update(std::uint64_t total, double seconds) {
  if (seconds <= 0) return;
  const double rate = static_cast<double>(total - std::exchange(last_total, total)) * 60.0 / seconds;
  for (std::size_t i = 0; i < kLoadMinutes.size(); ++i) {
    const double keep = std::exp(-seconds / (kLoadMinutes[i] * 60.0));
    per_minute[i] = rate * (1.0 - keep) + per_minute[i] * keep;
  }
}

void start_sys_topics(WorkerState& worker) {
  if (worker.node.policy().sys_interval.ms <= 0) {
    worker.sys_timer.reset();
    return;
  }
  if (!worker.sys_topics) {
    worker.sys_topics = std::make_unique<SysTopics>();
    worker.sys_topics->last_ms = worker.now.ms;
  }
  worker.sys_timer = std::make_unique<Timer>(&on_interval, &worker);
  worker.timers.arm(*worker.sys_timer, worker.now);
}

}  // namespace nightjar::broker
