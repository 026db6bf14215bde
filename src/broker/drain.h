// The orderly end of a worker, in step with the others. First every will that is due goes out; only when
// those of all workers have arrived everywhere is the first client told goodbye. So nobody who watches misses
// a will that the end itself causes. Lives on its worker; the workers keep step by mail.
#pragma once

#include <array>
#include <cstdint>

namespace nightjar::broker {

struct WorkerState;

class Drain {
 public:
  // From here on nothing new is accepted; the wills are on their way. Once for every worker, in any order.
  void begin(WorkerState& worker);
  [[nodiscard]] bool has_begun() const { return has_begun_; }

  // In every turn, when what arrived in it has been written: says goodbye if it is time. Every connection is
  // closed then, a 5.0 client is told 0x8B.
  void finish_turn(WorkerState& worker);
  [[nodiscard]] bool has_said_goodbye() const { return has_said_goodbye_; }

 private:
  // How often everybody waits for a letter of everybody else: behind the first come the wills, behind the
  // second what the owner of a shared group passes on, and each may have gone round by a shard that just
  // moved.
  static constexpr std::size_t kRounds = 4;

  void post_fences(WorkerState& worker);
  void on_fence(WorkerState& worker, std::size_t round);
  void advance(WorkerState& worker);

  bool has_begun_ = false;
  bool has_said_goodbye_ = false;
  std::size_t round_ = 0;                        // complete ones
  std::array<std::uint16_t, kRounds> fences_{};  // that came, by round
};

}  // namespace nightjar::broker
