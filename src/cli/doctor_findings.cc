#include "cli/doctor_findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace nightjar::cli {
namespace {

using Status = Finding::Status;
using Found = std::optional<Finding>;

// Each worker has its event loop, its bell and a share of every listening socket.
constexpr std::uint64_t kFilesPerWorker = 2;
// Log, data directory, control socket and the tools that speak through it.
constexpr std::uint64_t kOtherFiles = 32;
// Resident memory of a client that is connected and silent, as `nightjar bench conn` measures it.
constexpr std::uint64_t kIdleClientBytes = 1024;
// What a connection that carries messages has in the kernel, both directions together.
constexpr std::uint64_t kBusySocketBytes = 16 * 1024;
// A buffer that cannot grow to this size holds up a client that is far away.
constexpr std::uint64_t kSocketBufferBytesMin = 256 * 1024;
constexpr std::uint64_t kLeastBufferBytes = 4096;
// Less than this in swap is what nobody has touched since the machine started.
constexpr std::uint64_t kSwapBytesMin = 64 * 1024 * 1024;
// Port numbers that any program may use.
constexpr std::uint64_t kPortsMax = 65'535 - 1023;

constexpr std::uint64_t kStrictOvercommit = 2;
// What the kernel writes where it means no limit is the largest signed number.
constexpr std::uint64_t kPracticallyUnlimited = INT64_MAX;

Finding ok(std::string found) { return {.status = Status::kOk, .found = std::move(found)}; }
Finding hint(std::string found, std::string fix) {
  return {.status = Status::kHint, .found = std::move(found), .fix = std::move(fix)};
}
Finding warning(std::string found, std::string fix) {
  return {.status = Status::kWarning, .found = std::move(found), .fix = std::move(fix)};
}
Finding unknown() { return {.status = Status::kUnknown, .found = "cannot be read here"}; }

std::string sysctl(std::string_view name, std::uint64_t value) {
  return fmt::format("sysctl -w {}={}", name, value);
}
std::string size(std::uint64_t bytes) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 3> kUnits{
      {{std::uint64_t{1} << 30, "GiB"}, {std::uint64_t{1} << 20, "MiB"}, {std::uint64_t{1} << 10, "KiB"}}};
  for (const auto& [unit, name] : kUnits) {
    if (bytes >= unit) {
      return fmt::format("{:.3g} {}", static_cast<double>(bytes) / static_cast<double>(unit), name);
    }
  }
  return fmt::format("{} bytes", bytes);
}
std::string limit(std::uint64_t number) {
  return number >= kPracticallyUnlimited ? "unlimited" : fmt::format("{}", number);
}
std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from - std::min(from, what); }

// ---- Files ----

std::uint64_t files_beside_clients(const Demand& demand) {
  return std::uint64_t{demand.workers} * (kFilesPerWorker + demand.addresses) + kOtherFiles;
}
std::uint64_t files_needed(const Demand& demand) { return demand.connections + files_beside_clients(demand); }

Found open_files(const MachineFacts& facts, const Demand& demand) {
  if (!facts.files_hard || !facts.files_soft) return unknown();
  const std::uint64_t needed = files_needed(demand);
  if (*facts.files_hard < needed) {
    return warning(
        fmt::format("the limit of {} open files leaves room for {} clients", *facts.files_hard,
                    less(*facts.files_hard, files_beside_clients(demand))),
        fmt::format("LimitNOFILE={0} in the unit's [Service], docker run --ulimit nofile={0}:{0}, or "
                    "ulimit -n {0} as root",
                    needed));
  }
  return ok(fmt::format("{} are needed, {} allowed{}", needed, limit(*facts.files_hard),
                        *facts.files_soft < needed ? " (the broker raises its soft limit itself)" : ""));
}

Found files_of_process(const MachineFacts& facts, const Demand& demand) {
  if (!facts.files_ceiling) return unknown();
  const std::uint64_t needed = files_needed(demand);
  if (*facts.files_ceiling < needed) {
    return warning(
        fmt::format("no process can be given more than {}, {} are needed", *facts.files_ceiling, needed),
        sysctl("fs.nr_open", needed));
  }
  return ok(fmt::format("a process can be given up to {}", limit(*facts.files_ceiling)));
}

Found files_of_machine(const MachineFacts& facts, const Demand& demand) {
  if (!facts.files_max) return unknown();
  const std::uint64_t used = facts.files_used.value_or(0);
  const std::uint64_t needed = files_needed(demand);
  if (less(*facts.files_max, used) < needed) {
    return warning(
        fmt::format("{} of {} are open already, {} more are needed", used, *facts.files_max, needed),
        sysctl("fs.file-max", used + 2 * needed));
  }
  return ok(fmt::format("{} open, {} allowed", used, limit(*facts.files_max)));
}

// ---- New connections ----

Found accept_queue(const MachineFacts& facts, const Demand& demand) {
  if (!facts.accept_backlog_max) return unknown();
  if (*facts.accept_backlog_max < demand.accept_backlog) {
    return warning(
        fmt::format("the kernel lets {} new connections wait, the broker asks for {}; when all clients "
                    "come at once, some are turned away",
                    *facts.accept_backlog_max, demand.accept_backlog),
        sysctl("net.core.somaxconn", demand.accept_backlog) + ", then start the broker again");
  }
  return ok(fmt::format("up to {} new connections wait", demand.accept_backlog));
}

Found half_open(const MachineFacts& facts, const Demand& demand) {
  if (!facts.syn_backlog_max) return unknown();
  const bool has_room = *facts.syn_backlog_max >= demand.accept_backlog;
  if (!has_room && facts.syn_cookies == 0) {
    return warning(
        fmt::format("{} may be under way, and SYN cookies are off: more are dropped", *facts.syn_backlog_max),
        fmt::format("sysctl -w net.ipv4.tcp_syncookies=1 net.ipv4.tcp_max_syn_backlog={}",
                    demand.accept_backlog));
  }
  return ok(fmt::format("up to {} under way{}", *facts.syn_backlog_max,
                        facts.syn_cookies.value_or(0) != 0 ? ", more with SYN cookies" : ""));
}

Found local_ports(const MachineFacts& facts, const Demand& demand) {
  if (!facts.local_ports) return unknown();
  const auto& [first, last] = *facts.local_ports;
  const std::uint64_t count = less(last + 1, first);
  if (count >= demand.connections) {
    return ok(fmt::format("a load generator here reaches {} connections to one address", count));
  }
  std::string found = fmt::format("a load generator here gets {} connections to one address and port", count);
  if (count < kPortsMax && demand.connections <= kPortsMax) {
    return hint(std::move(found), "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
  }
  return hint(std::move(found), fmt::format("let it connect to {} addresses, or from several machines",
                                            (demand.connections + kPortsMax - 1) / kPortsMax));
}

Found tracked_connections(const MachineFacts& facts, const Demand& demand) {
  if (!facts.connections_tracked_max) return std::nullopt;  // the module is not loaded
  const std::uint64_t used = facts.connections_tracked.value_or(0);
  if (less(*facts.connections_tracked_max, used) < demand.connections) {
    return warning(fmt::format("the firewall tracks {} of at most {} connections; those beyond are dropped",
                               used, *facts.connections_tracked_max),
                   sysctl("net.netfilter.nf_conntrack_max", used + 2 * demand.connections));
  }
  return ok(fmt::format("{} tracked, {} allowed", used, *facts.connections_tracked_max));
}

// ---- Memory ----

Found tcp_memory(const MachineFacts& facts, const Demand& demand) {
  if (!facts.tcp_pages) return unknown();
  const std::uint64_t pressure = (*facts.tcp_pages)[1];
  const std::uint64_t wanted = demand.connections * kBusySocketBytes / facts.page_bytes;
  const std::string all = size(pressure * facts.page_bytes);
  if (pressure < wanted) {
    return hint(
        fmt::format("the kernel saves from {} on, which is {} for each client", all,
                    size(pressure * facts.page_bytes / demand.connections)),
        fmt::format("sysctl -w net.ipv4.tcp_mem=\"{} {} {}\"", wanted / 4 * 3, wanted, wanted / 2 * 3));
  }
  return ok(all + " for all sockets before the kernel saves");
}

// The values as they should be, or nothing if they are.
std::optional<std::string> better_buffer(std::string_view name, const std::array<std::uint64_t, 3>& bytes) {
  const auto& [least, usual, most] = bytes;
  if (least <= usual && usual <= most && most >= kSocketBufferBytesMin) return std::nullopt;
  const std::uint64_t enough = std::max({least, usual, most, 4 * kSocketBufferBytesMin});
  return fmt::format("{}=\"{} {} {}\"", name, std::min(least, kLeastBufferBytes),
                     std::clamp<std::uint64_t>(usual, kBusySocketBytes, enough), enough);
}

Found tcp_buffers(const MachineFacts& facts, const Demand&) {
  if (!facts.receive_buffer_bytes || !facts.send_buffer_bytes) return unknown();
  const auto receive = better_buffer("net.ipv4.tcp_rmem", *facts.receive_buffer_bytes);
  const auto send = better_buffer("net.ipv4.tcp_wmem", *facts.send_buffer_bytes);
  const std::string found =
      fmt::format("a socket receives into up to {}, sends from up to {}",
                  size((*facts.receive_buffer_bytes)[2]), size((*facts.send_buffer_bytes)[2]));
  if (!receive && !send) return ok(found);
  return hint(
      found + ", or the three values are out of order",
      fmt::format("sysctl -w {}{}{}", receive.value_or(""), receive && send ? " " : "", send.value_or("")));
}

// Of the machine, or of the control group if that has less.
std::optional<std::uint64_t> free_memory(const MachineFacts& facts) {
  if (!facts.memory_free_bytes) return facts.group_memory_free_bytes;
  return std::min(*facts.memory_free_bytes, facts.group_memory_free_bytes.value_or(kUnlimited));
}

Found memory(const MachineFacts& facts, const Demand& demand) {
  const std::optional<std::uint64_t> free = free_memory(facts);
  if (!free) return unknown();
  const std::uint64_t wanted = demand.shared_bytes + demand.connections * kIdleClientBytes;
  const std::string where = facts.group_memory_bytes
                                ? fmt::format(" in a control group of {}", size(*facts.group_memory_bytes))
                                : "";
  std::string found =
      fmt::format("{} free{}; the limits let clients fill {}, and one that does not keep up {} more",
                  size(*free), where, size(wanted), size(demand.slow_client_bytes));
  if (*free < wanted) {
    return warning(std::move(found),
                   "lower max_retained_bytes and max_unfinished_bytes in [node]" +
                       std::string(facts.group_memory_bytes
                                       ? ", or raise MemoryMax= of the unit (memory of the container)"
                                       : ", or give the machine more memory"));
  }
  return ok(std::move(found));
}

Found swap(const MachineFacts& facts, const Demand&) {
  if (!facts.swap_used_bytes) return unknown();
  if (*facts.swap_used_bytes >= kSwapBytesMin) {
    return hint(fmt::format("{} are swapped out; a client whose session is among it waits for the disk",
                            size(*facts.swap_used_bytes)),
                "MemorySwapMax=0 in the [Service] of the unit, or sysctl -w vm.swappiness=1");
  }
  return ok(*facts.swap_used_bytes == 0 ? "nothing is swapped out"
                                        : size(*facts.swap_used_bytes) + " are swapped out");
}

Found overcommit(const MachineFacts& facts, const Demand&) {
  if (!facts.overcommit) return unknown();
  if (*facts.overcommit == kStrictOvercommit) {
    return hint("strict: memory may be refused, and the broker end, while there is some",
                sysctl("vm.overcommit_memory", 0));
  }
  return ok("memory is refused only when there is none");
}

Found huge_pages(const MachineFacts& facts, const Demand&) {
  if (facts.huge_pages.empty()) return unknown();
  if (facts.huge_pages == "always") {
    return hint("always: memory in use is rounded up to pieces of 2 MiB where the kernel likes",
                "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled");
  }
  return ok(facts.huge_pages == "never" ? "never given" : "given only where they are asked for");
}

// ---- Processors ----

Found cores(const MachineFacts& facts, const Demand& demand) {
  if (!facts.cores) return unknown();
  const auto own = static_cast<double>(*facts.cores);
  const double usable = std::min(own, facts.group_cores.value_or(own));
  const auto whole = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(usable));
  if (demand.workers > whole) {
    return hint(fmt::format("{} workers on {:.3g} {}: when all are busy, some stand still while others run",
                            demand.workers, usable, usable == 1 ? "core" : "cores"),
                fmt::format("workers = {} in [node], or --workers {}", whole, whole));
  }
  return ok(fmt::format("{} {} on {:.3g} {}", demand.workers, demand.workers == 1 ? "worker" : "workers",
                        usable, usable == 1 ? "core" : "cores"));
}

// With these drivers "powersave" follows the load; with others it holds the lowest frequency.
bool governs_by_itself(std::string_view driver) {
  return driver == "intel_pstate" || driver.starts_with("amd-pstate");
}

Found governor(const MachineFacts& facts, const Demand&) {
  if (facts.governor.empty()) return std::nullopt;  // the host governs
  if (facts.governor == "powersave" && !governs_by_itself(facts.governor_driver)) {
    return hint("powersave holds the processor at its lowest frequency",
                "cpupower frequency-set -g performance");
  }
  return ok(facts.governor);
}

Found clock_source(const MachineFacts& facts, const Demand&) {
  if (facts.clock_source.empty()) return unknown();
  constexpr std::array<std::string_view, 3> kSlow{"hpet", "acpi_pm", "jiffies"};
  if (std::find(kSlow.begin(), kSlow.end(), facts.clock_source) == kSlow.end()) return ok(facts.clock_source);
  const bool has_tsc = (" " + facts.clock_sources + " ").find(" tsc ") != std::string::npos;
  return hint(facts.clock_source + ": every look at the clock is a system call",
              has_tsc ? "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource"
                      : "boot with clocksource=tsc, if \"dmesg | grep -i tsc\" does not call it unstable");
}

struct Check {
  std::string_view name;
  Found (*examine)(const MachineFacts& facts, const Demand& demand);
  bool keeps_clients_out = false;
};

constexpr std::array kChecks{
    Check{"open_files", open_files, true},
    Check{"files_of_a_process", files_of_process},
    Check{"files_of_the_machine", files_of_machine},
    Check{"accept_queue", accept_queue, true},
    Check{"handshakes", half_open},
    Check{"firewall", tracked_connections},
    Check{"local_ports", local_ports},
    Check{"tcp_memory", tcp_memory},
    Check{"tcp_buffers", tcp_buffers},
    Check{"memory", memory},
    Check{"swap", swap},
    Check{"overcommit", overcommit},
    Check{"huge_pages", huge_pages},
    Check{"cores", cores},
    Check{"frequency", governor},
    Check{"clock_source", clock_source},
};

}  // namespace

std::string_view to_string(Finding::Status status) {
  switch (status) {
    case Status::kOk:
      return "ok";
    case Status::kHint:
      return "hint";
    case Status::kWarning:
      return "warning";
    case Status::kUnknown:
      break;
  }
  return "unknown";
}

std::vector<Finding> examine(const MachineFacts& facts, const Demand& demand) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks) {
    Found found = check.examine(facts, demand);
    if (!found) continue;
    found->check = check.name;
    findings.push_back(std::move(*found));
  }
  return findings;
}

std::vector<Finding> what_keeps_clients_out(const MachineFacts& facts, const Demand& demand) {
  std::vector<Finding> findings;
  for (const Check& check : kChecks) {
    if (!check.keeps_clients_out) continue;
    Found found = check.examine(facts, demand);
    if (!found || found->status != Status::kWarning) continue;
    found->check = check.name;
    findings.push_back(std::move(*found));
  }
  return findings;
}

}  // namespace nightjar::cli
