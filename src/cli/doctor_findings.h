// What the machine allows against what the configuration asks for: facts in, findings out. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor_facts.h"

namespace nightjar::cli {

// Clients that a broker is expected to carry if nobody says how many.
inline constexpr std::uint64_t kUsualConnections = 10'000;

// What the configuration asks of the machine.
struct Demand {
  std::uint64_t connections = kUsualConnections;
  std::uint16_t workers = 1;
  std::uint32_t addresses = 1;       // that are listened on
  std::uint32_t accept_backlog = 0;  // that listen(2) is called with
  // Memory that clients may fill together, whoever they are.
  std::uint64_t shared_bytes = 0;
  // And what each client that does not keep up may have besides.
  std::uint64_t slow_client_bytes = 0;
};

struct Finding {
  enum class Status : std::uint8_t {
    kOk,
    kHint,     // works, but costs time or memory
    kWarning,  // stands against the configuration
    kUnknown   // cannot be read here
  };
  std::string_view check;  // "open_files"
  Status status = Status::kOk;
  std::string found;
  std::string fix;  // to be typed or written as it stands; empty if all is well
};

std::string_view to_string(Finding::Status status);

// One finding for each check that applies to this machine, in a fixed order.
std::vector<Finding> examine(const MachineFacts& facts, const Demand& demand);

// Only those that keep clients out, for the log of a start: nothing when all is well.
std::vector<Finding> what_keeps_clients_out(const MachineFacts& facts, const Demand& demand);

}  // namespace nightjar::cli
