#include "broker/session/outbox.h"

#include <algorithm>
#include <iterator>

namespace nightjar::broker {
namespace {

// An empty InFlight keeps a table of this size; larger ones serve whoever is busy.
constexpr std::size_t kSlotsKept = 64;

// Emptied tables of the calling thread's sessions, for the next that grows: in a flood a session runs empty
// many times a second, and would double its way up each time.
class SpareSlots {
 public:
  // An empty table of at least `slots_min` slots, or one without slots.
  std::vector<InFlight::Entry> take(std::size_t slots_min) {
    if (spares_.empty() || slots_min < kSlotsKept || spares_.back().size() < slots_min) return {};
    std::vector<InFlight::Entry> slots = std::move(spares_.back());
    spares_.pop_back();
    bytes_ -= slots.size() * sizeof(InFlight::Entry);
    return slots;
  }
  void give(std::vector<InFlight::Entry> slots) {
    const std::size_t bytes = slots.size() * sizeof(InFlight::Entry);
    if (bytes_ + bytes > kBytesMax) return;
    bytes_ += bytes;
    spares_.push_back(std::move(slots));
  }

 private:
  static constexpr std::size_t kBytesMax = 4 * 1024 * 1024;
  std::vector<std::vector<InFlight::Entry>> spares_;
  std::size_t bytes_ = 0;
};
thread_local SpareSlots spare_slots;

}  // namespace

InFlight::Entry& InFlight::add() {
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
  entry.was_sent = false;
  ++count_;
  return entry;
}

InFlight::Entry& InFlight::restore(mqtt::PacketId id, State state, Delivery delivery) {
  constexpr std::size_t kSlotsMax = 65'536;
  // Two ids may want the same slot of a small table.
  while (slots_.empty() || count_ * 2 >= slots_.size() ||
         slots_[id.value & (slots_.size() - 1)].state != State::kFree) {
    if (slots_.size() == kSlotsMax) break;
    grow();
  }
  Entry& entry = slots_[id.value & (slots_.size() - 1)];
  entry.sequence = next_sequence_++;
  entry.packet_id = id;
  entry.state = state;
  entry.was_sent = true;
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
  entry.delivery.clear();
  if (--count_ == 0 && slots_.size() > kSlotsKept) spare_slots.give(std::move(slots_));
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
  std::vector<Entry> larger = spare_slots.take(slots_.size() * 2);
  if (larger.empty()) larger.resize(slots_.empty() ? 4 : slots_.size() * 2);
  for (Entry& entry : slots_) {
    if (entry.state != State::kFree) larger[entry.packet_id.value & (larger.size() - 1)] = std::move(entry);
  }
  slots_ = std::move(larger);
}

bool Outbox::is_full(const QueueLimits& limits, std::size_t size) const {
  if (this->size() >= limits.messages_max) return true;
  if (limits.counts_payload_only) return bytes_ - overhead_ >= limits.bytes_max;
  return !empty() && bytes_ + size > limits.bytes_max;
}

void Outbox::push(Delivery delivery) {
  bytes_ += delivery.message->size();
  overhead_ += overhead_of(delivery);
  delivery.place = ++last_place_;
  if (!waiting_) waiting_ = std::make_unique<Queue>();
  if (waiting_->spilled) {
    waiting_->spilled->behind.push_back(std::move(delivery));
    return;
  }
  waiting_->deliveries.push_back(std::move(delivery));
  if (waiting_->by_topic) enter(*waiting_->by_topic, waiting_->deliveries.back());
}

Delivery Outbox::pop() {
  Delivery delivery = std::move(waiting_->deliveries.front());
  waiting_->deliveries.pop_front();
  bytes_ -= delivery.message->size();
  overhead_ -= overhead_of(delivery);
  leave(delivery);
  close_gap();
  if (size() == 0) waiting_.reset();
  return delivery;
}

// Without anything spilled, what was pushed since is all there is.
void Outbox::close_gap() {
  if (!waiting_->spilled || waiting_->spilled->count != 0) return;
  const std::unique_ptr<Spilled> spilled = std::move(waiting_->spilled);
  DeliveryQueue& deliveries = waiting_->deliveries;
  if (deliveries.empty()) return deliveries.swap(spilled->behind);
  deliveries.insert(deliveries.end(), std::make_move_iterator(spilled->behind.begin()),
                    std::make_move_iterator(spilled->behind.end()));
}

void Outbox::set_spilled(std::uint64_t count, std::uint64_t bytes, std::uint64_t first_sequence) {
  if (count == 0) return;
  if (!waiting_) waiting_ = std::make_unique<Queue>();
  waiting_->spilled = std::make_unique<Spilled>();
  waiting_->spilled->count = count;
  waiting_->spilled->bytes = bytes;
  waiting_->spilled->first_sequence = first_sequence;
  bytes_ += bytes;
}

void Outbox::load(Delivery delivery) {
  Spilled& spilled = *waiting_->spilled;
  --spilled.count;
  spilled.bytes -= std::min<std::uint64_t>(spilled.bytes, delivery.message->size());
  spilled.first_sequence = delivery.sequence + 1;
  overhead_ += overhead_of(delivery);
  delivery.place = 0;  // it was pushed before everything that anybody waits for
  waiting_->deliveries.push_back(std::move(delivery));
  close_gap();
}

std::uint64_t Outbox::end_spilled() {
  const std::uint64_t missing = waiting_->spilled->count;
  bytes_ -= std::min<std::size_t>(bytes_, waiting_->spilled->bytes);
  waiting_->spilled->count = waiting_->spilled->bytes = 0;
  close_gap();
  if (size() == 0) waiting_.reset();
  return missing;
}

void Outbox::index_topics() {
  if (waiting_->by_topic) return;
  waiting_->by_topic = std::make_unique<TopicIndex>();
  for (const Delivery& waiting : waiting_->deliveries) enter(*waiting_->by_topic, waiting);
}

bool Outbox::holds_topic(std::string_view topic) {
  if (!waiting_) return false;
  index_topics();
  return waiting_->by_topic->contains(topic);
}

Delivery Outbox::conflate(const Delivery& newer) {
  if (!waiting_) return {};
  index_topics();
  const auto known = waiting_->by_topic->find(newer.message->topic());
  if (known == waiting_->by_topic->end()) return {};
  Delivery& waiting = at_place(known->second);
  bytes_ += newer.message->size() - waiting.message->size();
  overhead_ += overhead_of(newer) - overhead_of(waiting);
  Delivery older = std::exchange(waiting, newer);
  waiting.place = older.place;
  enter(*waiting_->by_topic, waiting);
  return older;
}

std::vector<Delivery> Outbox::take_group(const GroupKey& group) {
  std::vector<Delivery> taken;
  if (!waiting_) return taken;
  const auto belongs = [&group](const Delivery& d) {
    return d.group && d.group->share_name == group.share_name && d.group->filter == group.filter;
  };
  for (Delivery& waiting : waiting_->deliveries) {
    if (!belongs(waiting)) continue;
    bytes_ -= waiting.message->size();
    overhead_ -= overhead_of(waiting);
    taken.push_back(waiting);
  }
  if (taken.empty()) return taken;
  auto& queue = waiting_->deliveries;
  queue.erase(std::remove_if(queue.begin(), queue.end(), belongs), queue.end());
  waiting_->by_topic.reset();  // rare enough to be made again
  close_gap();
  if (size() == 0) waiting_.reset();
  return taken;
}

void Outbox::enter(TopicIndex& index, const Delivery& waiting) {
  // The key moves to the newer message as well: the older one may leave first.
  index.erase(waiting.message->topic());
  index.emplace(waiting.message->topic(), waiting.place);
}

void Outbox::leave(const Delivery& gone) {
  if (!waiting_->by_topic) return;
  const auto known = waiting_->by_topic->find(gone.message->topic());
  if (known != waiting_->by_topic->end() && known->second == gone.place) waiting_->by_topic->erase(known);
}

// Places grow from front to back.
Delivery& Outbox::at_place(std::uint64_t place) {
  return *std::lower_bound(waiting_->deliveries.begin(), waiting_->deliveries.end(), place,
                           [](const Delivery& waiting, std::uint64_t p) { return waiting.place < p; });
}

}  // namespace nightjar::broker
