#include "cli/doctor_facts.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using Number = std::optional<std::uint64_t>;

constexpr std::uint64_t kKib = 1024;
// A limit of version 1 that nobody set is the largest number of pages, which depends on the page size.
constexpr std::uint64_t kGroupBytesMax = std::uint64_t{1} << 60;

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string word_of(const fs::path& path) {
  std::ifstream in(path);
  std::string word;
  in >> word;
  return word;
}

std::string line_of(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

Number number_in(std::string_view word) {
  if (word == "unlimited" || word == "max") return kUnlimited;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error == std::errc::result_out_of_range) return kUnlimited;
  return error == std::errc{} && end == word.data() + word.size() ? Number{number} : std::nullopt;
}

Number number_of(const fs::path& path) { return number_in(word_of(path)); }

template <std::size_t Count>
std::optional<std::array<std::uint64_t, Count>> numbers_of(const fs::path& path) {
  std::ifstream in(path);
  std::array<std::uint64_t, Count> numbers{};
  for (std::uint64_t& number : numbers) {
    if (!(in >> number)) return std::nullopt;
  }
  return numbers;
}

// The words of the line that begins with `label`, without it.
std::vector<std::string> labelled(const fs::path& path, std::string_view label) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(label)) continue;
    std::istringstream rest(line.substr(label.size()));
    return {std::istream_iterator<std::string>(rest), {}};
  }
  return {};
}

Number labelled_number(const fs::path& path, std::string_view label) {
  const std::vector<std::string> words = labelled(path, label);
  return words.empty() ? std::nullopt : number_in(words.front());
}

// "0-3,8": five.
Number cores_in(std::string_view list) {
  std::uint64_t count = 0;
  while (!list.empty()) {
    const std::string_view range = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), range.size() + 1));
    const std::size_t dash = range.find('-');
    const Number first = number_in(range.substr(0, dash));
    const Number last = dash == std::string_view::npos ? first : number_in(range.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    count += *last - *first + 1;
  }
  return count == 0 ? std::nullopt : Number{count};
}

// "always [madvise] never": the one in brackets.
std::string chosen_in(std::string_view choices) {
  const std::size_t open = choices.find('[');
  const std::size_t close = choices.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  return std::string(choices.substr(open + 1, close - open - 1));
}

void read_process(const fs::path& process, MachineFacts& facts) {
  const std::vector<std::string> files = labelled(process / "limits", "Max open files");
  if (files.size() >= 2) {
    facts.files_soft = number_in(files[0]);
    facts.files_hard = number_in(files[1]);
  }
  const std::vector<std::string> cores = labelled(process / "status", "Cpus_allowed_list:");
  if (!cores.empty()) facts.cores = cores_in(cores.front());
}

void read_files(const fs::path& sysctl, MachineFacts& facts) {
  facts.files_max = number_of(sysctl / "fs/file-max");
  facts.files_used = number_of(sysctl / "fs/file-nr");
  facts.files_ceiling = number_of(sysctl / "fs/nr_open");
}

void read_network(const fs::path& net, MachineFacts& facts) {
  facts.accept_backlog_max = number_of(net / "core/somaxconn");
  facts.syn_backlog_max = number_of(net / "ipv4/tcp_max_syn_backlog");
  facts.syn_cookies = number_of(net / "ipv4/tcp_syncookies");
  facts.local_ports = numbers_of<2>(net / "ipv4/ip_local_port_range");
  facts.tcp_pages = numbers_of<3>(net / "ipv4/tcp_mem");
  facts.receive_buffer_bytes = numbers_of<3>(net / "ipv4/tcp_rmem");
  facts.send_buffer_bytes = numbers_of<3>(net / "ipv4/tcp_wmem");
  facts.connections_tracked = number_of(net / "netfilter/nf_conntrack_count");
  facts.connections_tracked_max = number_of(net / "netfilter/nf_conntrack_max");
}

void read_memory(const fs::path& root, MachineFacts& facts) {
  const fs::path table = root / "proc/meminfo";
  const auto bytes = [&table](std::string_view label) {
    const Number kib = labelled_number(table, label);
    return kib ? Number{*kib * kKib} : std::nullopt;
  };
  facts.memory_free_bytes = bytes("MemAvailable:");
  const Number swap = bytes("SwapTotal:");
  const Number swap_free = bytes("SwapFree:");
  if (swap && swap_free) facts.swap_used_bytes = *swap - std::min(*swap, *swap_free);
  facts.overcommit = number_of(root / "proc/sys/vm/overcommit_memory");
  facts.huge_pages = chosen_in(line_of(root / "sys/kernel/mm/transparent_hugepage/enabled"));
}

void read_processors(const fs::path& system, MachineFacts& facts) {
  facts.clock_source = word_of(system / "clocksource/clocksource0/current_clocksource");
  facts.clock_sources = line_of(system / "clocksource/clocksource0/available_clocksource");
  facts.governor = word_of(system / "cpu/cpu0/cpufreq/scaling_governor");
  facts.governor_driver = word_of(system / "cpu/cpu0/cpufreq/scaling_driver");
}

// ---- Control groups ----

// Where the files of one controller lie, in either version.
struct Controller {
  fs::path mount;
  fs::path group;  // below the mount

  // The group and all above it: the tightest limit counts. A container sees the root of its groups under the
  // mount and may be told a path of the host that is not there.
  template <typename Visit>
  void for_each_level(Visit visit) const {
    for (fs::path level = group.relative_path();; level = level.parent_path()) {
      visit(mount / level);
      if (level.empty()) return;
    }
  }
};

// The line "4:memory:/path" of version 1, else "0::/path" of version 2, which has all controllers.
Controller controller(const fs::path& root, const fs::path& process, std::string_view name) {
  const fs::path mount = root / "sys/fs/cgroup";
  std::istringstream lines(text_of(process / "cgroup"));
  Controller unified{.mount = mount, .group = "/"};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t names = line.find(':') + 1;
    const std::size_t path = line.find(':', names) + 1;
    if (names == 0 || path == 0) continue;
    const std::string controllers = "," + line.substr(names, path - names - 1) + ",";
    if (controllers.find("," + std::string(name) + ",") != std::string::npos) {
      return {.mount = mount / name, .group = line.substr(path)};
    }
    if (controllers == ",,") unified.group = line.substr(path);
  }
  return unified;
}

// What files of the page cache take can be had back.
std::uint64_t free_in(const fs::path& level, std::uint64_t limit) {
  Number used = number_of(level / "memory.current");
  if (!used) used = number_of(level / "memory.usage_in_bytes");
  Number cache = labelled_number(level / "memory.stat", "inactive_file ");
  if (!cache) cache = labelled_number(level / "memory.stat", "total_inactive_file ");
  const std::uint64_t taken = used.value_or(0) - std::min(used.value_or(0), cache.value_or(0));
  return limit - std::min(limit, taken);
}

void read_group_memory(const Controller& memory, MachineFacts& facts) {
  memory.for_each_level([&facts](const fs::path& level) {
    Number limit = number_of(level / "memory.max");
    if (!limit) limit = number_of(level / "memory.limit_in_bytes");
    if (!limit || *limit >= kGroupBytesMax) return;
    const std::uint64_t free = free_in(level, *limit);
    facts.group_memory_bytes = std::min(*limit, facts.group_memory_bytes.value_or(kUnlimited));
    facts.group_memory_free_bytes = std::min(free, facts.group_memory_free_bytes.value_or(kUnlimited));
  });
}

// Processor time of a period, over the period. "max", or -1 in version 1: no limit.
std::optional<double> cores_of(const fs::path& level) {
  std::istringstream words(line_of(level / "cpu.max"));
  std::string quota_word;
  std::string period_word;
  if (!(words >> quota_word >> period_word)) {
    quota_word = word_of(level / "cpu.cfs_quota_us");
    period_word = word_of(level / "cpu.cfs_period_us");
  }
  const Number quota = number_in(quota_word);
  const Number period = number_in(period_word);
  if (!quota || *quota == kUnlimited || !period || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

void read_group_cores(const Controller& cpu, MachineFacts& facts) {
  cpu.for_each_level([&facts](const fs::path& level) {
    const std::optional<double> cores = cores_of(level);
    if (cores) facts.group_cores = std::min(*cores, facts.group_cores.value_or(*cores));
  });
}

}  // namespace

MachineFacts read_machine(const WhatToRead& what) {
  const fs::path process =
      what.root / "proc" / (what.process_id ? std::to_string(*what.process_id) : std::string("self"));
  MachineFacts facts;
  if (const long bytes = ::sysconf(_SC_PAGESIZE); bytes > 0)
    facts.page_bytes = static_cast<std::uint64_t>(bytes);
  read_process(process, facts);
  read_files(what.root / "proc/sys", facts);
  read_network(what.root / "proc/sys/net", facts);
  read_memory(what.root, facts);
  read_processors(what.root / "sys/devices/system", facts);
  read_group_memory(controller(what.root, process, "memory"), facts);
  read_group_cores(controller(what.root, process, "cpu"), facts);
  return facts;
}

}  // namespace nightjar::cli
