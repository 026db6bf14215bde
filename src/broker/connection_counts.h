// How many connections are open where that is limited: by listener, and all together. Shared by the workers;
// the methods may be called by any of them.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>

#include "base/short_lock.h"
#include "broker/policy.h"

namespace nightjar::broker {

class ConnectionCounts {
 public:
  // `all_max`: of all listeners together; 0: no limit.
  explicit ConnectionCounts(std::uint32_t all_max) : all_{.most = all_max} {}

  enum class Answer : std::uint8_t { kWelcome, kTooMany, kTooManyAndNew };  // new: nobody has been told yet

  // Counts one more, also if that is one too many.
  Answer enter(const ListenerPolicy& listener);
  void leave(const ListenerPolicy& listener);

 private:
  struct Count {
    std::uint32_t most = 0;
    std::uint32_t now = 0;
    bool is_refusal_told = false;

    [[nodiscard]] bool is_exceeded() const { return most != 0 && now > most; }
  };
  [[nodiscard]] bool counts(const ListenerPolicy& listener) const {
    return all_.most != 0 || listener.connections_max != 0;
  }

  ShortLock lock_;
  Count all_;
  boost::unordered_flat_map<const ListenerPolicy*, Count> by_listener_;
};

}  // namespace nightjar::broker
