// What the simulator knows: every publication, every subscription of every session, and from these what a
// client may, must and must not receive. Time is counted in ticks, one for each action of a client.
//
// A publication lies between two ticks: sent by its publisher, acknowledged to it. A subscription lies
// between four: SUBSCRIBE sent, SUBACK seen, UNSUBSCRIBE sent, UNSUBACK seen. What was acknowledged before
// the SUBSCRIBE was sent, or sent after the UNSUBACK was seen, must not arrive; what was sent after the
// SUBACK was seen and acknowledged before the UNSUBSCRIBE was sent, must.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "mqtt/types.h"

namespace nightjar::sim {

using Tick = std::uint64_t;
inline constexpr Tick kOpen = UINT64_MAX;

// A promise that was broken, with the story.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Publication {
  std::size_t publisher = 0;
  std::string topic;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain = false;
  Tick sent = 0;
  Tick acknowledged = kOpen;   // QoS 0: when something later of the same connection was acknowledged
  bool is_lost_track = false;  // the connection or session ended before an answer: either fate is right
  bool was_resent = false;
};

struct Subscription {
  std::string filter;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  Tick sent = 0;
  Tick acknowledged = kOpen;
  Tick unsubscribe_sent = kOpen;
  Tick gone = kOpen;
};

// One session of one client as its client sees it: from CONNACK with Session Present 0 to the next such.
struct Epoch {
  std::vector<Subscription> subscriptions;
  std::unordered_map<std::size_t, int> received;  // publication -> copies
  // (publisher, topic, QoS published, QoS received) -> the newest publication seen
  std::map<std::tuple<std::size_t, std::string, mqtt::Qos, mqtt::Qos>, std::size_t> newest;
  std::map<std::string, std::size_t> newest_retained;  // topic -> newest value seen, live or retained
  std::unordered_set<std::uint16_t> incoming_ids;      // QoS 2 packet ids received and not released
};

class Model {
 public:
  std::size_t publish(Publication publication);
  Publication& at(std::size_t index) { return publications_.at(index); }
  [[nodiscard]] const Publication& at(std::size_t index) const { return publications_.at(index); }
  [[nodiscard]] std::size_t size() const { return publications_.size(); }

  struct Copy {
    std::size_t publication = 0;
    std::string topic;
    mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
    bool retain = false;
    bool dup = false;
  };
  // A message that a client's application got (QoS 2 duplicates by packet id are gone already). Throws
  // Violation.
  void receive(const std::string& client, Epoch& epoch, const Copy& copy, Tick now);

  // At the end, when nothing moves any more: how many messages this session should have got and has not.
  // `all_qos0`: QoS 0 counts too, for a client that was always connected and always read.
  [[nodiscard]] std::uint64_t missing(const Epoch& epoch, bool all_qos0, std::string& example) const;
  // The last acknowledged retained value of each topic must be what a living subscriber saw last.
  void check_last_values(const std::string& client, const Epoch& epoch) const;
  // Messages of QoS 1, or up to `most`, to the shared group since `since` that no member got.
  [[nodiscard]] std::uint64_t missing_shared(Tick since, mqtt::Qos most, std::string& example) const;

  // Ticks at which nothing moved any more.
  std::vector<Tick> settled;
  // Queues are small: a message may be dropped at first and arrive when its publisher sends it again.
  bool has_small_queues = false;
  // A receiver may refuse a message that others took: the publisher may send it again, and they get it again.
  bool may_refuse = false;
  // Slow clients are disconnected: a will may go out although the client said DISCONNECT just then.
  bool may_disconnect = false;
  // Publication -> copies received by the watcher of wills.
  std::unordered_map<std::size_t, int> wills;

 private:
  void receive_shared(const std::string& client, const Copy& copy);
  void receive_retained(const std::string& client, Epoch& epoch, const Copy& copy);
  void receive_live(const std::string& client, Epoch& epoch, const Copy& copy);
  [[nodiscard]] bool may_come_late(const Epoch& epoch, const Publication& publication) const;
  void check_allowed(const std::string& client, const Epoch& epoch, const Copy& copy) const;
  [[nodiscard]] std::string describe(std::size_t index) const;
  static std::string describe(const Epoch& epoch, const std::string& topic);

  std::vector<Publication> publications_;
  std::unordered_map<std::size_t, int> shared_;  // publication -> copies over all members
};

// The filter of a subscription without "$share/name/".
std::string_view plain(std::string_view filter);

}  // namespace nightjar::sim
