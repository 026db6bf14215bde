// Sends the messages of one stream, as many as window, acknowledgements and schedule allow. Lives on the
// LoadThread of its client.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "cli/bench/message_template.h"
#include "cli/bench/schedule.h"
#include "cli/bench/traffic.h"

namespace nightjar::cli::bench {

class Client;

class Publisher {
 public:
  Publisher(Traffic& traffic, std::uint32_t stream, Client& client);

  // As fast as the window allows.
  void flood(std::uint64_t messages_max);
  // As the schedule of the thread says: the message number `n` from now on is due at `first + n * step`.
  void follow(const Schedule& schedule, std::uint64_t first, std::uint64_t step);
  void stop() { limit_ = sent_; }
  // A message of the schedule is due.
  void add_due() { ++limit_; }

  // Sends what it may, through `scratch`.
  void pump(ByteBuffer& scratch, Nanoseconds now, ThreadCounters& counters);
  // The oldest message without one has its acknowledgement: they come in the order of the messages
  // [MQTT-4.6.0-2]. Returns when that message was sent or, with a schedule, due.
  Nanoseconds acknowledge();
  // Messages it may send at the moment.
  [[nodiscard]] std::uint64_t room() const;

  // Deliveries that the window still waits for, or acknowledgements if those are fewer.
  [[nodiscard]] std::uint64_t under_way() const;

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // All that it shall send is sent, and acknowledged at QoS 1 and 2.
  [[nodiscard]] bool is_finished() const { return sent_ >= limit_ && unacknowledged() == 0; }
  // For so long has its window been full, or an acknowledgement missing, without any change. Ask at
  // intervals.
  bool is_stalled(Nanoseconds now, Nanoseconds patience);
  [[nodiscard]] Stream& stream() const { return stream_; }

  bool is_listed = false;  // among those that the thread pumps at the end of the turn

 private:
  // Messages that were sent at the same time.
  struct SentTogether {
    Nanoseconds time = 0;
    std::uint64_t count = 0;
  };

  [[nodiscard]] std::uint64_t unacknowledged() const {
    return stream_.plan.qos == mqtt::Qos::kAtMostOnce ? 0 : sent_ - acknowledged_;
  }
  void write(ByteBuffer& out, std::uint64_t count, Nanoseconds now);
  void remember(Nanoseconds time);

  Traffic& traffic_;
  Stream& stream_;
  Client& client_;
  MessageTemplate message_;
  std::uint32_t number_;
  std::uint64_t sent_ = 0;
  std::uint64_t acknowledged_ = 0;  // at QoS 1 and 2
  std::uint64_t limit_ = 0;         // of sent_
  std::deque<SentTogether> unacknowledged_;
  const Schedule* schedule_ = nullptr;
  std::uint64_t schedule_base_ = 0;  // sent_ when it began
  std::uint64_t schedule_first_ = 0;
  std::uint64_t schedule_step_ = 1;
  std::uint64_t stall_sent_ = 0;  // sent_ when it last changed, as is_stalled saw it
  Nanoseconds stall_since_ = 0;
  std::string topic_;
};

}  // namespace nightjar::cli::bench
