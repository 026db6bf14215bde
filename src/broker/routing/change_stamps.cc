#include "broker/routing/change_stamps.h"

#include "base/keyed_hash.h"
#include "mqtt/topic.h"

namespace nightjar::broker {
namespace {

constexpr std::size_t kCounters = ChangeStamps::kCounters;

// Kinds of prefixes, so that "a" as first level and "a" behind "+" are different things.
constexpr std::uint64_t kLeadingWildcard = 0;
constexpr std::uint64_t kBehindWildcard = 1;  // "+/b"
constexpr std::uint64_t kLiteral = 2;         // "a", "a/b", "a/b/c"
constexpr std::uint64_t kAroundWildcard = 3;  // "a/+/c"

std::uint16_t slot_of(std::string_view text, std::uint64_t kind) {
  return static_cast<std::uint16_t>(keyed_hash(text, kind) % kCounters);
}

bool is_wildcard(std::string_view level) { return level == "+" || level == "#"; }

// The first three levels of a topic or filter.
struct FirstLevels {
  explicit FirstLevels(std::string_view text) : whole(text) {
    mqtt::Levels levels{text};
    while (count < level.size() && levels.next(level[count])) ++count;
  }
  // The text of the first `n` levels.
  [[nodiscard]] std::string_view prefix(std::size_t n) const {
    const std::string_view last = level[n - 1];
    return whole.substr(0, static_cast<std::size_t>(last.data() - whole.data()) + last.size());
  }

  std::string_view whole;
  std::array<std::string_view, 3> level{};
  std::size_t count = 0;
};

std::uint16_t slot_around(const FirstLevels& first) {
  return slot_of(first.level[2], keyed_hash(first.level[0], kAroundWildcard));
}

}  // namespace

ChangeStamps::ChangeStamps() : counters_(new std::atomic<std::uint32_t>[kCounters]()) {}

void ChangeStamps::bump(std::string_view filter) {
  const FirstLevels first{filter};
  std::uint16_t slot = slot_of({}, kLeadingWildcard);
  if (is_wildcard(first.level[0])) {
    const bool is_narrow = first.count > 1 && !is_wildcard(first.level[1]);
    if (is_narrow) slot = slot_of(first.level[1], kBehindWildcard);
  } else if (first.count == 3 && first.level[1] == "+" && !is_wildcard(first.level[2])) {
    slot = slot_around(first);
  } else {
    std::size_t literal = 1;
    while (literal < first.count && !is_wildcard(first.level[literal])) ++literal;
    slot = slot_of(first.prefix(literal), kLiteral);
  }
  counters_[slot].fetch_add(1, std::memory_order_release);
}

ChangeStamp ChangeStamps::read(std::string_view topic) const {
  const FirstLevels first{topic};
  ChangeStamp stamp;
  // A topic of fewer levels has fewer counters; those left out name the first one again.
  stamp.slot.fill(slot_of({}, kLeadingWildcard));
  stamp.slot[1] = slot_of(first.prefix(1), kLiteral);
  if (first.count > 1) {
    stamp.slot[2] = slot_of(first.level[1], kBehindWildcard);
    stamp.slot[3] = slot_of(first.prefix(2), kLiteral);
  }
  if (first.count > 2) {
    stamp.slot[4] = slot_of(first.prefix(3), kLiteral);
    stamp.slot[5] = slot_around(first);
  }
  for (std::size_t i = 0; i < ChangeStamp::kSlots; ++i) {
    stamp.value[i] = counters_[stamp.slot[i]].load(std::memory_order_acquire);
  }
  return stamp;
}

}  // namespace nightjar::broker
