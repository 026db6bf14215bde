// What the machine, its kernel and the service manager allow a broker, as /proc and /sys tell it. Whatever
// cannot be read is absent: containers hide much. Reads files; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace nightjar::cli {

// A limit that is none.
inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

struct MachineFacts {
  // Of the process that was asked about.
  std::optional<std::uint64_t> files_soft;
  std::optional<std::uint64_t> files_hard;
  std::optional<std::uint64_t> cores;  // that it may run on

  // Of the machine.
  std::optional<std::uint64_t> files_max;      // fs.file-max
  std::optional<std::uint64_t> files_used;     // of these
  std::optional<std::uint64_t> files_ceiling;  // fs.nr_open: the highest limit that a process can be given
  std::optional<std::uint64_t> accept_backlog_max;  // net.core.somaxconn
  std::optional<std::uint64_t> syn_backlog_max;
  std::optional<std::uint64_t> syn_cookies;  // 0: off
  std::optional<std::array<std::uint64_t, 2>> local_ports;
  std::uint64_t page_bytes = 4096;
  std::optional<std::array<std::uint64_t, 3>> tcp_pages;             // low, pressure, high
  std::optional<std::array<std::uint64_t, 3>> receive_buffer_bytes;  // least, usual, most
  std::optional<std::array<std::uint64_t, 3>> send_buffer_bytes;
  std::optional<std::uint64_t> connections_tracked;  // absent without the module
  std::optional<std::uint64_t> connections_tracked_max;
  std::optional<std::uint64_t> overcommit;  // 2: strict
  std::optional<std::uint64_t> memory_free_bytes;
  std::optional<std::uint64_t> swap_used_bytes;
  std::string huge_pages;     // "always", "madvise", "never"; empty if unknown
  std::string clock_source;   // "tsc"
  std::string clock_sources;  // those that could be chosen
  std::string governor;       // of the first core; empty where the machine does not say
  std::string governor_driver;

  // Of the control group; absent without a limit.
  std::optional<std::uint64_t> group_memory_bytes;
  std::optional<std::uint64_t> group_memory_free_bytes;
  std::optional<double> group_cores;
};

struct WhatToRead {
  std::filesystem::path root = "/";          // tests have trees of their own
  std::optional<std::int64_t> process_id{};  // else this process, whose limits its children inherit
};

MachineFacts read_machine(const WhatToRead& what = {});

}  // namespace nightjar::cli
