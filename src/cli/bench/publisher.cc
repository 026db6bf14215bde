#include "cli/bench/publisher.h"

#include <algorithm>

#include "cli/bench/client.h"

namespace nightjar::cli::bench {
namespace {

// Written to the socket at once: a few such pieces fill a socket's buffer.
constexpr std::size_t kPieceBytes = 128 * 1024;

std::uint16_t packet_id(std::uint64_t sequence) { return static_cast<std::uint16_t>(sequence % 65'535 + 1); }

}  // namespace

Publisher::Publisher(Traffic& traffic, std::uint32_t stream, Client& client)
    : traffic_(traffic),
      stream_(*traffic.streams[stream]),
      client_(client),
      message_({.version = traffic.settings.version,
                .qos = stream_.plan.qos,
                .retain = stream_.plan.retain,
                .topic = stream_.plan.topic,
                .payload_bytes = traffic.settings.payload_bytes}),
      number_(stream),
      topic_(stream_.plan.topic) {}

void Publisher::flood(std::uint64_t messages_max) {
  schedule_ = nullptr;
  limit_ = messages_max > UINT64_MAX - sent_ ? UINT64_MAX : sent_ + messages_max;
}

void Publisher::follow(const Schedule& schedule, std::uint64_t first, std::uint64_t step) {
  schedule_ = &schedule;
  schedule_base_ = limit_ = sent_;
  schedule_first_ = first;
  schedule_step_ = step;
}

std::uint64_t Publisher::room() const {
  std::uint64_t room = limit_ - std::min(limit_, sent_);
  if (schedule_ == nullptr) room = std::min(room, stream_.window.room(sent_));
  if (stream_.plan.qos == mqtt::Qos::kAtMostOnce) return room;
  const std::uint64_t acknowledged_room =
      std::min<std::uint64_t>(client_.receive_maximum(), stream_.plan.inflight);
  return std::min(room, acknowledged_room - std::min(acknowledged_room, unacknowledged()));
}

std::uint64_t Publisher::under_way() const {
  const std::uint64_t room = stream_.window.room(sent_);
  const std::uint64_t undelivered = stream_.plan.window - std::min<std::uint64_t>(room, stream_.plan.window);
  if (stream_.plan.qos != mqtt::Qos::kAtMostOnce) return std::min(undelivered, unacknowledged());
  return undelivered * (stream_.plan.spread == Spread::kEach ? stream_.plan.receivers : 1);
}

bool Publisher::is_stalled(Nanoseconds now, Nanoseconds patience) {
  const bool is_waiting = schedule_ == nullptr && sent_ < limit_ && stream_.window.room(sent_) == 0;
  if (!is_waiting || sent_ != stall_sent_ || stall_since_ == 0) {
    stall_sent_ = sent_;
    stall_since_ = now;
    return false;
  }
  return now - stall_since_ >= patience;
}

void Publisher::pump(ByteBuffer& scratch, Nanoseconds now, ThreadCounters& counters) {
  const std::uint64_t per_piece = std::max<std::uint64_t>(1, kPieceBytes / message_.size());
  while (client_.can_send()) {
    const std::uint64_t count = std::min(room(), per_piece);
    if (count == 0) return;
    scratch.clear();
    write(scratch, count, now);
    sent_ += count;
    counters.published.add(count);
    client_.send(scratch.view());
  }
}

void Publisher::write(ByteBuffer& out, std::uint64_t count, Nanoseconds now) {
  std::byte* at = out.prepare(count * message_.size());
  out.commit(count * message_.size());
  Identity identity{.stream = number_, .sequence = sent_, .time = now};
  for (std::uint64_t i = 0; i < count; ++i, ++identity.sequence, at += message_.size()) {
    if (schedule_ != nullptr) {
      identity.time = schedule_->due(schedule_first_ + (identity.sequence - schedule_base_) * schedule_step_);
    }
    if (traffic_.plan.topic_at) {
      traffic_.plan.topic_at(number_, identity.sequence, topic_);
      message_.set_topic(topic_);
    }
    message_.write(at, identity, traffic_.run, packet_id(identity.sequence));
    if (stream_.plan.qos != mqtt::Qos::kAtMostOnce) remember(identity.time);
  }
}

void Publisher::remember(Nanoseconds time) {
  if (unacknowledged_.empty() || unacknowledged_.back().time != time) unacknowledged_.push_back({time, 0});
  ++unacknowledged_.back().count;
}

Nanoseconds Publisher::acknowledge() {
  ++acknowledged_;
  if (unacknowledged_.empty()) return 0;  // the broker acknowledges what was never sent
  SentTogether& oldest = unacknowledged_.front();
  const Nanoseconds time = oldest.time;
  if (--oldest.count == 0) unacknowledged_.pop_front();
  return time;
}

}  // namespace nightjar::cli::bench
