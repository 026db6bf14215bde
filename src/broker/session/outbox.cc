#include "broker/session/outbox.h"

#include <algorithm>

namespace nightjar::broker {

InFlight::Entry& InFlight::add(Delivery delivery) {
  if (count_ * 2 >= slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  do {
    ++last_id_;
    if (last_id_ == 0) last_id_ = 1;
  } while (slots_[last_id_ & mask].state != State::kFree);
  Entry& entry = slots_[last_id_ & mask];
  entry.sequence = next_sequence_++;
  entry.packet_id = {last_id_};
  entry.state = State::kPublished;
  entry.delivery = std::move(delivery);
  ++count_;
  return entry;
}

InFlight::Entry* InFlight::find(mqtt::PacketId id) {
  if (slots_.empty()) return nullptr;
  Entry& entry = slots_[id.value & (slots_.size() - 1)];
  return entry.state != State::kFree && entry.packet_id == id ? &entry : nullptr;
}

void InFlight::erase(Entry& entry) {
  entry.state = State::kFree;
  entry.delivery = {};
  if (--count_ == 0 && slots_.size() > 64) slots_ = {};
}

std::vector<InFlight::Entry*> InFlight::in_order() {
  std::vector<Entry*> entries;
  entries.reserve(count_);
  for (Entry& entry : slots_) {
    if (entry.state != State::kFree) entries.push_back(&entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->sequence < b->sequence; });
  return entries;
}

void InFlight::grow() {
  constexpr std::size_t kSlotsMax = 65'536;  // room for every id
  if (slots_.size() == kSlotsMax) return;
  // Twice the entries, so that a few old ids never block the next ones for long.
  std::vector<Entry> larger(slots_.empty() ? 4 : slots_.size() * 2);
  for (Entry& entry : slots_) {
    if (entry.state != State::kFree) larger[entry.packet_id.value & (larger.size() - 1)] = std::move(entry);
  }
  slots_ = std::move(larger);
}

bool Outbox::is_full(const QueueLimits& limits, std::size_t size) const {
  return waiting_.size() >= limits.messages_max || (!waiting_.empty() && bytes_ + size > limits.bytes_max);
}

void Outbox::push(Delivery delivery) {
  bytes_ += delivery.message->size();
  delivery.place = ++last_place_;
  waiting_.push_back(std::move(delivery));
  if (by_topic_) enter(*by_topic_, waiting_.back());
}

Delivery Outbox::pop() {
  Delivery delivery = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= delivery.message->size();
  leave(delivery);
  if (waiting_.empty()) {
    waiting_ = {};
    by_topic_.reset();
  }
  return delivery;
}

Delivery Outbox::conflate(const Delivery& newer) {
  if (!by_topic_) {
    by_topic_ = std::make_unique<TopicIndex>();
    for (const Delivery& waiting : waiting_) enter(*by_topic_, waiting);
  }
  const auto known = by_topic_->find(newer.message->topic());
  if (known == by_topic_->end()) return {};
  Delivery& waiting = at_place(known->second);
  bytes_ += newer.message->size() - waiting.message->size();
  Delivery older = std::exchange(waiting, newer);
  waiting.place = older.place;
  enter(*by_topic_, waiting);
  return older;
}

std::vector<Delivery> Outbox::take_group(const GroupKey& group) {
  std::vector<Delivery> taken;
  const auto belongs = [&group](const Delivery& d) {
    return d.group && d.group->share_name == group.share_name && d.group->filter == group.filter;
  };
  for (Delivery& waiting : waiting_) {
    if (!belongs(waiting)) continue;
    bytes_ -= waiting.message->size();
    taken.push_back(waiting);
  }
  if (taken.empty()) return taken;
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), belongs), waiting_.end());
  by_topic_.reset();  // rare enough to be made again
  return taken;
}

void Outbox::enter(TopicIndex& index, const Delivery& waiting) {
  // The key moves to the newer message as well: the older one may leave first.
  index.erase(waiting.message->topic());
  index.emplace(waiting.message->topic(), waiting.place);
}

void Outbox::leave(const Delivery& gone) {
  if (!by_topic_) return;
  const auto known = by_topic_->find(gone.message->topic());
  if (known != by_topic_->end() && known->second == gone.place) by_topic_->erase(known);
}

// Places grow from front to back.
Delivery& Outbox::at_place(std::uint64_t place) {
  return *std::lower_bound(waiting_.begin(), waiting_.end(), place,
                           [](const Delivery& waiting, std::uint64_t p) { return waiting.place < p; });
}

}  // namespace nightjar::broker
