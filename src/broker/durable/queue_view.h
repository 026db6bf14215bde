// Which entries of one queue still count: rows are erased as a whole, and later than their entries are done
// with. Pure; read-only, for who looks at a store that no broker serves.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "broker/durable/records.h"

namespace nightjar::broker {

enum class EntryState : std::uint8_t {
  kWaiting,
  kInFlight,  // sent and not acknowledged
  kDone       // acknowledged, dropped or released; nobody gets it again
};

class QueueView {
 public:
  explicit QueueView(PacketIdsRecord record);
  explicit QueueView(GroupRecord record);
  [[nodiscard]] EntryState state_of(std::uint64_t row, const QueueEntry& entry) const;

 private:
  std::uint64_t waiting_from_ = 0;            // from here on entries wait, below it they are done
  std::vector<std::uint64_t> exceptions_;     // but for these,
  std::map<std::uint64_t, EntryState> sent_;  // and these
  bool is_group_ = false;                     // where what came back in a row from there on waits as well
};

}  // namespace nightjar::broker
