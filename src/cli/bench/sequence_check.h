// Was each message of a stream received, once, and in order? Values without locks.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

namespace nightjar::cli::bench {

enum class Arrival : std::uint8_t { kInOrder, kLate, kDuplicate };

// The messages of one stream that several receivers share among them, or that come in any order.
class SequenceSet {
 public:
  // False if it is in the set already.
  bool insert(std::uint64_t sequence);

 private:
  std::uint64_t first_ = 0;  // everything below is in the set; a multiple of 64
  std::deque<std::uint64_t> words_;
};

// The messages of one stream at the one receiver that must get them all. Costs one comparison while nothing
// is missing; a late message and a repeated one are told apart by remembering the gaps.
class SequenceTrack {
 public:
  Arrival take(std::uint64_t sequence) {
    if (sequence == next_) {
      ++next_;
      return Arrival::kInOrder;
    }
    return take_other(sequence);
  }
  // Of a stream that has no order.
  Arrival take_unordered(std::uint64_t sequence) {
    if (!set_) set_ = std::make_unique<SequenceSet>();
    return set_->insert(sequence) ? Arrival::kInOrder : Arrival::kDuplicate;
  }
  // For a receiver that gets a part of the stream: false if it is behind what it got before.
  bool advance_to(std::uint64_t sequence) {
    if (sequence < next_) return false;
    next_ = sequence + 1;
    return true;
  }
  // One more than the highest sequence that was seen.
  [[nodiscard]] std::uint64_t next() const { return next_; }

 private:
  struct Gap {
    std::uint64_t begin;
    std::uint64_t end;
  };
  // A broker that drops every other message makes one gap per message. What lies before the remembered ones
  // is taken for lost, and if it still arrives, for a duplicate.
  static constexpr std::size_t kGapsMax = 1 << 16;

  Arrival take_other(std::uint64_t sequence);

  std::uint64_t next_ = 0;
  std::unique_ptr<std::deque<Gap>> gaps_;
  std::unique_ptr<SequenceSet> set_;
};

}  // namespace nightjar::cli::bench
