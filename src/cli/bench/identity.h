// What the payload of a measured message says about it: who sent it, which of his messages it is, and when it
// was sent or due. The rest of the payload is a fixed pattern, so that damage shows. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "cli/bench/nanoseconds.h"

namespace nightjar::cli::bench {

struct Identity {
  std::uint32_t stream = 0;    // who: index of the publisher's stream, below kStreamsMax
  std::uint64_t sequence = 0;  // counted from 0 in each stream, below 2^40
  Nanoseconds time = 0;
};

inline constexpr std::uint32_t kStreamsMax = 1U << 24U;
// Stream, sequence and time. Shorter payloads cannot be told apart.
inline constexpr std::size_t kIdentityBytes = 16;
// From this size on a check word follows, which also holds the number of this run: a message of an earlier
// run, or one whose identity was damaged, is then noticed.
inline constexpr std::size_t kCheckedBytes = kIdentityBytes + sizeof(std::uint32_t);

inline std::uint32_t check_word(std::uint64_t who, std::uint64_t when, std::uint32_t run) {
  std::uint64_t mixed = (who ^ (when * 0x9E3779B97F4A7C15ULL)) + run;
  mixed = (mixed ^ (mixed >> 29U)) * 0xBF58476D1CE4E5B9ULL;
  return static_cast<std::uint32_t>(mixed >> 32U);
}

// `payload` has room for kCheckedBytes if `size` says so, else for kIdentityBytes.
inline void write_identity(std::byte* payload, std::size_t size, const Identity& identity,
                           std::uint32_t run) {
  const std::uint64_t who = (std::uint64_t{identity.stream} << 40U) | identity.sequence;
  const auto when = static_cast<std::uint64_t>(identity.time);
  std::memcpy(payload, &who, sizeof who);
  std::memcpy(payload + sizeof who, &when, sizeof when);
  if (size < kCheckedBytes) return;
  const std::uint32_t check = check_word(who, when, run);
  std::memcpy(payload + kIdentityBytes, &check, sizeof check);
}

// False if the check word is wrong. `payload` holds at least kIdentityBytes.
inline bool read_identity(ByteView payload, std::uint32_t run, Identity& out) {
  std::uint64_t who = 0;
  std::uint64_t when = 0;
  std::memcpy(&who, payload.data(), sizeof who);
  std::memcpy(&when, payload.data() + sizeof who, sizeof when);
  out.stream = static_cast<std::uint32_t>(who >> 40U);
  out.sequence = who & ((std::uint64_t{1} << 40U) - 1);
  out.time = static_cast<Nanoseconds>(when);
  if (payload.size() < kCheckedBytes) return true;
  std::uint32_t check = 0;
  std::memcpy(&check, payload.data() + kIdentityBytes, sizeof check);
  return check == check_word(who, when, run);
}

// What stands behind identity and check word: letters and digits, so that a trace is readable.
inline void fill_pattern(std::byte* payload, std::size_t size) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.";
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::byte>(kLetters[i % kLetters.size()]);
}

}  // namespace nightjar::cli::bench
