// What is known in memory of the rows of one stored queue. Rows are many and small, as each turn of a worker
// that brings a message adds one; so they are counted in stretches, and a start of the broker reads only what
// is noted of these. Plain data of the session or group that owns the queue; its worker uses it.
#pragma once

#include <boost/container/deque.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "broker/durable/commit.h"
#include "broker/durable/records.h"

namespace nightjar::broker {

class QueueRows {
 public:
  // A stretch takes no more rows when it holds so much: what has to be read anew for a single message of it.
  static constexpr std::uint64_t kMessagesMax = 64;
  static constexpr std::uint64_t kBytesMax = std::uint64_t{32} * 1024;

  // Messages of one queue that are added to several parts (of Journal) in turn must not share a row with what
  // another part has in between: rows would not be in order. An entry shares one with those of its stint.
  std::uint32_t stint(std::uint32_t part) {
    if (std::exchange(last_part_, part) != part) ++stint_;
    return stint_;
  }

  // Where a row is counted, and what is to be noted there for the origin of its commit.
  struct Noted {
    std::uint64_t stretch;
    StretchRecord record;
  };
  // A row is written, in `commit`. What is noted of a stretch grows per origin, because only the commits of
  // one origin become durable in order.
  Noted add(std::uint64_t row, const StretchRecord& what, CommitPoint commit);
  // A stretch of an earlier run of the broker, behind those that are known. It takes no more rows.
  void restore(std::uint64_t first, std::uint64_t last);

  [[nodiscard]] bool empty() const { return !known_; }
  // The row to read from for an entry.
  [[nodiscard]] std::uint64_t row_before(std::uint64_t sequence) const;

  // Rows and stretches that begin from `first` on and before `end`.
  struct Gone {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool is_one_row = false;  // and the stretch of that row alone
  };
  // Takes out the stretches at the front all of whose entries are below `oldest`.
  std::optional<Gone> reclaim(std::uint64_t oldest);

 private:
  struct Stretch {
    std::uint64_t first = 0;  // its first row
    std::uint64_t last = 0;   // no row and no entry is higher
    bool is_one_row = true;
  };
  struct Tally {
    CommitPoint commit;  // of this origin, the last that has added to it
    StretchRecord record;
  };
  using Stretches =
      boost::container::deque<Stretch, void,
                              boost::container::deque_options_t<boost::container::block_size<16U>>>;
  struct Known {
    Stretches stretches;         // in order
    std::vector<Tally> tallies;  // of the last stretch; empty: it takes no more rows
  };

  [[nodiscard]] bool takes(std::uint64_t row, CommitPoint commit) const;
  Stretch& begin_stretch(std::uint64_t row);

  std::unique_ptr<Known> known_;  // none while empty
  std::uint32_t last_part_ = 0;
  std::uint32_t stint_ = 0;
};

}  // namespace nightjar::broker
