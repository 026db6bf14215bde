// The retained messages of the node, shared by its workers: partitions by hash of the topic, each an ordered
// set of topics under a lock of its own that is held for a short, bounded time. Any worker may call any
// method.
//
// Order against subscriptions (nobody may see neither the old nor the new value): a publisher stores first
// and matches the subscription tree afterwards; a subscriber inserts its filter first, then calls
// begin_replay(), then reads. A replay delivers only what was stored up to its version; what is newer arrives
// live.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "broker/message.h"

namespace nightjar::broker {

// A place in a replay: partition and last topic visited. Copyable; 0 and "" at the start.
struct RetainedCursor {
  std::uint32_t partition = 0;
  std::string after;       // last topic visited in the partition, exclusive
  bool started = false;    // `after` counts (a topic may not be empty, but the first call has none)
  std::size_t visits = 0;  // topics looked at so far
};

class RetainedMessages {
 public:
  RetainedMessages(std::uint64_t messages_max, std::uint64_t bytes_max);
  ~RetainedMessages();
  RetainedMessages(const RetainedMessages&) = delete;
  RetainedMessages& operator=(const RetainedMessages&) = delete;

  // What is beyond a smaller limit stays.
  void set_limits(std::uint64_t messages_max, std::uint64_t bytes_max);

  // Stores a message with retain set, or removes the topic's entry when the payload is empty [MQTT-3.3.1-6].
  // Stamps message.set_retained_version before anybody can read it (also for a removal).
  // False: the limit is reached and the topic had no entry; nothing was stored.
  [[nodiscard]] bool store(MessageRef message);

  // Version that a replay beginning now covers; call after the filter was inserted into the subscription
  // tree.
  std::uint64_t begin_replay();
  // Up to `count_max` unexpired entries of version <= `version` that match `filter`, in topic order, behind
  // `cursor`, which moves on. At most `visits_max` topics are visited per call, so `out` may stay empty while
  // the replay goes on. False when the replay is complete.
  bool read(std::string_view filter, std::uint64_t version, MonoTime now, std::size_t count_max,
            RetainedCursor& cursor, std::vector<MessageRef>& out, std::size_t visits_max = kVisitsPerRead);
  // Some 100 µs, so that a replay over a large tree leaves its worker time for others, and no publisher waits
  // longer for a partition's lock.
  static constexpr std::size_t kVisitsPerRead = 256;
  // Enough to see that nothing matches a filter of the usual kind.
  static constexpr std::size_t kVisitsForALook = 32;

  // The entry of one topic, or an empty reference.
  [[nodiscard]] MessageRef find(std::string_view topic) const;
  // Removes entries whose expiry has passed; visits a bounded number of entries per call and continues there.
  void sweep(MonoTime now);

  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t bytes() const;  // topic, properties and payload

 private:
  struct Rooms;
  std::unique_ptr<Rooms> rooms_;
};

}  // namespace nightjar::broker
