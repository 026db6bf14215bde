#include "tests/sim/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "mqtt/topic.h"

namespace nightjar::sim {

using mqtt::Qos;

std::string_view plain(std::string_view filter) {
  if (!mqtt::is_shared(filter)) return filter;
  mqtt::SharedFilter shared;
  return mqtt::parse_shared(filter, shared) ? shared.filter : filter;
}

std::size_t Model::publish(Publication publication) {
  publications_.push_back(std::move(publication));
  return publications_.size() - 1;
}

std::string Model::describe(std::size_t index) const {
  const Publication& p = publications_[index];
  const std::string acknowledged = p.acknowledged == kOpen ? "not" : std::to_string(p.acknowledged);
  return fmt::format("#{} ({} by {}, QoS {}{}{}, sent {}, acknowledged {})", index, p.topic, p.publisher,
                     static_cast<int>(p.qos), p.retain ? ", retain" : "", p.was_resent ? ", sent again" : "",
                     p.sent, acknowledged);
}

std::string Model::describe(const Epoch& epoch, const std::string& topic) {
  std::string text = "its subscriptions:";
  for (const Subscription& s : epoch.subscriptions) {
    if (!mqtt::matches(plain(s.filter), topic)) continue;
    text += fmt::format(" {} QoS {} [{} {} {} {}]", s.filter, static_cast<int>(s.qos), s.sent, s.acknowledged,
                        s.unsubscribe_sent, s.gone);
  }
  return text;
}

void Model::receive(const std::string& client, Epoch& epoch, const Copy& copy, Tick) {
  if (copy.publication >= publications_.size()) throw Violation(client + " got a message nobody sent");
  const Publication& publication = publications_[copy.publication];
  if (publication.topic != copy.topic) {
    throw Violation(fmt::format("{} got {} with topic {}", client, describe(copy.publication), copy.topic));
  }
  if (copy.qos > publication.qos) {
    throw Violation(fmt::format("{} got {} at a higher QoS", client, describe(copy.publication)));
  }
  check_allowed(client, epoch, copy);
  if (copy.topic.starts_with("s/")) {
    receive_shared(client, copy);
  } else if (copy.retain) {
    receive_retained(client, epoch, copy);
  } else {
    receive_live(client, epoch, copy);
  }
}

void Model::check_allowed(const std::string& client, const Epoch& epoch, const Copy& copy) const {
  const Publication& publication = publications_[copy.publication];
  const bool allowed =
      std::any_of(epoch.subscriptions.begin(), epoch.subscriptions.end(), [&](const Subscription& s) {
        if (!mqtt::matches(plain(s.filter), publication.topic)) return false;
        if (publication.sent > s.gone) return false;
        return copy.retain || mqtt::is_shared(s.filter) || publication.acknowledged > s.sent;
      });
  if (!allowed) {
    throw Violation(
        fmt::format("{} got {} without a subscription that covers it", client, describe(copy.publication)));
  }
}

void Model::receive_shared(const std::string& client, const Copy& copy) {
  const int copies = ++shared_[copy.publication];
  const Publication& publication = publications_[copy.publication];
  if (copies > 1 &&
      (copy.qos == Qos::kExactlyOnce || (copy.qos == Qos::kAtMostOnce && publication.qos == copy.qos))) {
    throw Violation(
        fmt::format("{} got {} although a member of its group had it", client, describe(copy.publication)));
  }
}

void Model::receive_retained(const std::string& client, Epoch& epoch, const Copy& copy) {
  const Publication& publication = publications_[copy.publication];
  if (!publication.retain) {
    throw Violation(fmt::format("{} got {} as retained", client, describe(copy.publication)));
  }
  // Older than a value that was acknowledged before any subscription that may have brought it was asked for?
  Tick first_sent = kOpen;
  for (const Subscription& s : epoch.subscriptions) {
    if (mqtt::matches(plain(s.filter), copy.topic)) first_sent = std::min(first_sent, s.sent);
  }
  for (std::size_t later = copy.publication + 1; later < publications_.size(); ++later) {
    const Publication& p = publications_[later];
    // A refused message that was sent again is stored again.
    if (may_refuse && publication.was_resent) break;
    if (p.topic == copy.topic && p.retain && p.acknowledged < first_sent) {
      throw Violation(fmt::format("{} got the stale retained value {}, {} was stored long before", client,
                                  describe(copy.publication), describe(later)));
    }
  }
  auto [newest, is_first] = epoch.newest_retained.emplace(copy.topic, copy.publication);
  if (!is_first && copy.publication < newest->second && !publication.was_resent && !copy.dup) {
    throw Violation(fmt::format("{} got the retained value {} after the newer {}; {}", client,
                                describe(copy.publication), describe(newest->second),
                                describe(epoch, copy.topic)));
  }
  newest->second = std::max(newest->second, copy.publication);
}

// A message that its publisher sent again, and that is routed again, is new to who was not subscribed, had no
// room or was away the first time.
bool Model::may_come_late(const Epoch& epoch, const Publication& publication) const {
  if (!publication.was_resent || (publication.qos != Qos::kAtLeastOnce && !may_refuse)) return false;
  return has_small_queues ||
         std::none_of(epoch.subscriptions.begin(), epoch.subscriptions.end(), [&](const Subscription& s) {
           return mqtt::matches(plain(s.filter), publication.topic) && s.acknowledged < publication.sent &&
                  s.unsubscribe_sent == kOpen && s.qos != Qos::kAtMostOnce;
         });
}

void Model::receive_live(const std::string& client, Epoch& epoch, const Copy& copy) {
  const Publication& publication = publications_[copy.publication];
  const int copies = ++epoch.received[copy.publication];
  if (copies > 1) {
    const bool may_repeat = copy.qos == Qos::kAtLeastOnce && (copy.dup || publication.was_resent);
    const bool resent_qos1 = publication.qos == Qos::kAtLeastOnce && publication.was_resent;
    const bool was_refused = may_refuse && publication.was_resent;
    if (!may_repeat && !resent_qos1 && !was_refused) {
      throw Violation(fmt::format("{} got {} twice", client, describe(copy.publication)));
    }
    return;
  }
  const auto key = std::make_tuple(publication.publisher, copy.topic, publication.qos, copy.qos);
  auto [newest, is_first] = epoch.newest.emplace(key, copy.publication);
  const bool is_late = !is_first && copy.publication < newest->second;
  if (is_late && may_come_late(epoch, publication)) return;
  if (is_late) {
    throw Violation(fmt::format("{} got {} after {}; {}", client, describe(copy.publication),
                                describe(newest->second), describe(epoch, copy.topic)));
  }
  newest->second = copy.publication;
  if (!publication.retain) return;
  auto [value, is_new] = epoch.newest_retained.emplace(copy.topic, copy.publication);
  // Another subscription may bring every message, also one that is older than what a replay has brought.
  const bool is_only =
      std::count_if(epoch.subscriptions.begin(), epoch.subscriptions.end(),
                    [&](const Subscription& s) { return mqtt::matches(plain(s.filter), copy.topic); }) == 1;
  if (is_only && !is_new && copy.publication < value->second && !publication.was_resent) {
    throw Violation(fmt::format("{} got the old value {} after {}", client, describe(copy.publication),
                                describe(value->second)));
  }
  value->second = std::max(value->second, copy.publication);
}

std::uint64_t Model::missing(const Epoch& epoch, bool all_qos0, std::string& example) const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < publications_.size(); ++i) {
    const Publication& p = publications_[i];
    if (p.acknowledged == kOpen || p.topic.starts_with("s/") || epoch.received.contains(i)) continue;
    const bool must =
        std::any_of(epoch.subscriptions.begin(), epoch.subscriptions.end(), [&](const Subscription& s) {
          if (mqtt::is_shared(s.filter) || !mqtt::matches(s.filter, p.topic)) return false;
          if (std::min(p.qos, s.qos) == Qos::kAtMostOnce && !all_qos0) return false;
          if (p.sent <= s.acknowledged) return false;
          // What is on its way between workers when the UNSUBSCRIBE comes need not arrive any more.
          const auto rest = std::lower_bound(settled.begin(), settled.end(), p.acknowledged);
          return s.unsubscribe_sent == kOpen || (rest != settled.end() && *rest < s.unsubscribe_sent);
        });
    if (!must) continue;
    if (count++ == 0) example = describe(i) + "; " + describe(epoch, p.topic);
  }
  return count;
}

void Model::check_last_values(const std::string& client, const Epoch& epoch) const {
  std::map<std::string, std::size_t> last;
  for (std::size_t i = 0; i < publications_.size(); ++i) {
    if (publications_[i].retain && publications_[i].acknowledged != kOpen) last[publications_[i].topic] = i;
  }
  for (const auto& [topic, index] : last) {
    const bool covered = std::any_of(
        epoch.subscriptions.begin(), epoch.subscriptions.end(), [&, &topic = topic](const Subscription& s) {
          return !mqtt::is_shared(s.filter) && mqtt::matches(s.filter, topic) && s.acknowledged != kOpen &&
                 s.unsubscribe_sent == kOpen && s.qos != Qos::kAtMostOnce;
        });
    if (!covered) continue;
    const auto seen = epoch.newest_retained.find(topic);
    if (seen == epoch.newest_retained.end() || seen->second < index) {
      throw Violation(fmt::format("{} has not seen the last value {}, only {}", client, describe(index),
                                  seen == epoch.newest_retained.end() ? "nothing" : describe(seen->second)));
    }
  }
}

std::uint64_t Model::missing_shared(Tick since, Qos most, std::string& example) const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < publications_.size(); ++i) {
    const Publication& p = publications_[i];
    if (!p.topic.starts_with("s/") || p.acknowledged == kOpen || p.qos == Qos::kAtMostOnce) continue;
    if (p.qos > most || p.sent <= since || shared_.contains(i)) continue;
    if (count++ == 0) example = describe(i);
  }
  return count;
}

}  // namespace nightjar::sim
