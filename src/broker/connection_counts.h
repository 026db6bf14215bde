// How many connections are open where that is limited: by listener, and all together. Shared by the workers;
// the methods may be called by any of them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <string>

#include "base/short_lock.h"
#include "broker/policy.h"

namespace nightjar::broker {

class ConnectionCounts {
 public:
  enum class Answer : std::uint8_t {
    kNotCounted,    // nothing is limited
    kWelcome,       // counted
    kTooMany,       // counted, and one too many
    kTooManyAndNew  // the same, and nobody has been told yet
  };

  // `all_max`: of all listeners together; 0: no limit. What was counted must leave.
  Answer enter(const ListenerPolicy& listener, std::uint32_t all_max);
  void leave(const ListenerPolicy& listener);

 private:
  struct Count {
    std::uint32_t now = 0;
    bool is_refusal_told = false;
  };

  ShortLock lock_;
  Count all_;
  boost::unordered_flat_map<std::string, Count>
      by_listener_;  // the policy changes with a reload, the name stays
};

}  // namespace nightjar::broker
