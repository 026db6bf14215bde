#include "cli/log_topic.h"

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <string>

#include "broker/message.h"
#include "broker/routing/router.h"
#include "broker/worker.h"
#include "broker/worker_state.h"

namespace nightjar::cli {
namespace {

// More lines than that at once say nothing to anybody who reads them over MQTT.
constexpr int kWaitingMax = 1000;
// As with Mosquitto: whoever was away has no use for old lines.
constexpr Duration kExpiry = Duration::seconds(20);

std::mutex g_mutex;  // for g_mail, which a worker must not see go
net::MailRoom* g_mail = nullptr;
std::atomic<int> g_waiting{0};

// Mosquitto's letters: what a client coming or going is, is a notice.
char letter_of(log::Level level) {
  switch (level) {
    case log::Level::kDebug:
      return 'D';
    case log::Level::kInfo:
      return 'N';
    case log::Level::kWarn:
      return 'W';
    case log::Level::kError:
      break;
  }
  return 'E';
}

void publish(broker::WorkerState& worker, const std::string& topic, const std::string& line) {
  route(worker, broker::Message::make({.topic = topic,
                                       .payload = as_bytes(line),
                                       .qos = mqtt::Qos::kExactlyOnce,
                                       .expires = worker.now + kExpiry}));
}

}  // namespace

LogTopic::LogTopic(net::MailRoom& mail) {
  const std::lock_guard lock(g_mutex);
  g_mail = &mail;
}

LogTopic::~LogTopic() {
  const std::lock_guard lock(g_mutex);
  g_mail = nullptr;
}

void publish_line(log::Level level, std::string_view line) {
  // A line about each message would make another message.
  if (level == log::Level::kDebug) return;
  const std::lock_guard lock(g_mutex);
  if (g_mail == nullptr || g_waiting.load(std::memory_order_relaxed) >= kWaitingMax) return;
  g_waiting.fetch_add(1, std::memory_order_relaxed);
  g_mail->run_on({0}, [topic = fmt::format("$SYS/broker/log/{}", letter_of(level)),
                       text = std::string{line}](broker::Worker& worker) {
    g_waiting.fetch_sub(1, std::memory_order_relaxed);
    publish(worker.state(), topic, text);
  });
}

}  // namespace nightjar::cli
