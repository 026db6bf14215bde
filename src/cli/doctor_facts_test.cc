#include "cli/doctor_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string_view>

#include "tests/support/temp_dir.h"

namespace nightjar::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::Optional;

constexpr std::uint64_t kMib = 1024 * 1024;

// A machine whose /proc and /sys hold what a test wrote there.
struct Machine : testing::Test {
  void write(const fs::path& path, std::string_view text) {
    const fs::path file = root.path() / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  [[nodiscard]] MachineFacts read() const { return read_machine({.root = root.path()}); }

  test_support::TempDir root;
};

using DoctorFacts = Machine;

TEST_F(DoctorFacts, AreAbsentWhereTheSystemHidesThem) {
  const MachineFacts facts = read();
  EXPECT_FALSE(facts.files_hard.has_value());
  EXPECT_FALSE(facts.accept_backlog_max.has_value());
  EXPECT_FALSE(facts.connections_tracked_max.has_value());
  EXPECT_FALSE(facts.memory_free_bytes.has_value());
  EXPECT_FALSE(facts.group_memory_bytes.has_value());
  EXPECT_FALSE(facts.group_cores.has_value());
  EXPECT_EQ(facts.huge_pages, "");
}

TEST_F(DoctorFacts, OfTheProcess) {
  write("proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max processes             96364                96364                processes \n"
        "Max open files            1024                 524288               files     ");
  write("proc/self/status", "Name:\tnightjar\nCpus_allowed:\t10f\nCpus_allowed_list:\t0-3,8");
  const MachineFacts facts = read();
  EXPECT_THAT(facts.files_soft, Optional(1024));
  EXPECT_THAT(facts.files_hard, Optional(524288));
  EXPECT_THAT(facts.cores, Optional(5));
}

TEST_F(DoctorFacts, OfAnotherProcess) {
  write("proc/self/limits", "Max open files            1024                 1024                 files     ");
  write("proc/4711/limits", "Max open files            unlimited            unlimited            files     ");
  EXPECT_THAT(read_machine({.root = root.path(), .process_id = 4711}).files_hard, Optional(kUnlimited));
}

TEST_F(DoctorFacts, OfTheKernel) {
  write("proc/sys/fs/file-max", "9223372036854775807");
  write("proc/sys/fs/file-nr", "1057\t0\t9223372036854775807");
  write("proc/sys/fs/nr_open", "1048576");
  write("proc/sys/net/core/somaxconn", "128");
  write("proc/sys/net/ipv4/tcp_max_syn_backlog", "512");
  write("proc/sys/net/ipv4/tcp_syncookies", "1");
  write("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999");
  write("proc/sys/net/ipv4/tcp_mem", "1\t2\t3");
  write("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456");
  write("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304");
  write("proc/sys/net/netfilter/nf_conntrack_count", "17");
  write("proc/sys/net/netfilter/nf_conntrack_max", "65536");
  const MachineFacts facts = read();
  EXPECT_THAT(facts.files_max, Optional(9223372036854775807u));
  EXPECT_THAT(facts.files_used, Optional(1057));
  EXPECT_THAT(facts.files_ceiling, Optional(1048576));
  EXPECT_THAT(facts.accept_backlog_max, Optional(128));
  EXPECT_THAT(facts.syn_backlog_max, Optional(512));
  EXPECT_THAT(facts.syn_cookies, Optional(1));
  EXPECT_THAT(facts.local_ports, Optional(ElementsAre(32768, 60999)));
  EXPECT_THAT(facts.tcp_pages, Optional(ElementsAre(1, 2, 3)));
  EXPECT_THAT(facts.receive_buffer_bytes, Optional(ElementsAre(4096, 131072, 6291456)));
  EXPECT_THAT(facts.send_buffer_bytes, Optional(ElementsAre(4096, 16384, 4194304)));
  EXPECT_THAT(facts.connections_tracked, Optional(17));
  EXPECT_THAT(facts.connections_tracked_max, Optional(65536));
}

TEST_F(DoctorFacts, OfMemoryAndProcessors) {
  write("proc/meminfo",
        "MemTotal:       2048 kB\nMemFree:         100 kB\nMemAvailable:   1024 kB\n"
        "SwapTotal:       512 kB\nSwapFree:        500 kB");
  write("proc/sys/vm/overcommit_memory", "2");
  write("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
  write("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet");
  write("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm");
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave");
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "intel_pstate");
  const MachineFacts facts = read();
  EXPECT_THAT(facts.memory_free_bytes, Optional(kMib));
  EXPECT_THAT(facts.swap_used_bytes, Optional(12 * 1024));
  EXPECT_THAT(facts.overcommit, Optional(2));
  EXPECT_EQ(facts.huge_pages, "madvise");
  EXPECT_EQ(facts.clock_source, "hpet");
  EXPECT_EQ(facts.clock_sources, "tsc hpet acpi_pm");
  EXPECT_EQ(facts.governor, "powersave");
  EXPECT_EQ(facts.governor_driver, "intel_pstate");
}

TEST_F(DoctorFacts, OfAControlGroupTheTightestLevelCounts) {
  write("proc/self/cgroup", "0::/system.slice/nightjar.service");
  write("sys/fs/cgroup/system.slice/memory.max", "1048576");
  write("sys/fs/cgroup/system.slice/memory.current", "1000000");
  write("sys/fs/cgroup/system.slice/memory.stat", "anon 1\ninactive_file 400000\nactive_file 1");
  write("sys/fs/cgroup/system.slice/nightjar.service/memory.max", "max");
  write("sys/fs/cgroup/system.slice/cpu.max", "max 100000");
  write("sys/fs/cgroup/system.slice/nightjar.service/cpu.max", "150000 100000");
  const MachineFacts facts = read();
  EXPECT_THAT(facts.group_memory_bytes, Optional(kMib));
  EXPECT_THAT(facts.group_memory_free_bytes, Optional(kMib - 600'000)) << "pages of files can be had back";
  EXPECT_THAT(facts.group_cores, Optional(1.5));
}

TEST_F(DoctorFacts, OfAControlGroupOfVersion1) {
  write("proc/self/cgroup", "5:memory:/job/7\n4:cpu,cpuacct:/job\n0::/");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  write("sys/fs/cgroup/memory/job/7/memory.limit_in_bytes", "1048576");
  write("sys/fs/cgroup/memory/job/7/memory.usage_in_bytes", "1024");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "200000");
  write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000");
  const MachineFacts facts = read();
  EXPECT_THAT(facts.group_memory_bytes, Optional(kMib));
  EXPECT_THAT(facts.group_memory_free_bytes, Optional(kMib - 1024));
  EXPECT_THAT(facts.group_cores, Optional(2.0));
}

// Docker with version 1 tells the path on the host, but mounts the container's group as the root.
TEST_F(DoctorFacts, OfAContainerThatIsToldAPathOfItsHost) {
  write("proc/self/cgroup", "4:memory:/docker/0a1b2c");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576");
  EXPECT_THAT(read().group_memory_bytes, Optional(kMib));
}

TEST_F(DoctorFacts, WithoutSenseAreAbsent) {
  write("proc/self/limits", "Max open files");
  write("proc/self/status", "Cpus_allowed_list:\t3-1");
  write("proc/self/cgroup", "nonsense");
  write("proc/sys/fs/file-max", "many");
  write("proc/sys/net/ipv4/tcp_mem", "1 2");
  write("sys/kernel/mm/transparent_hugepage/enabled", "] [");
  write("sys/fs/cgroup/cpu.max", "100000 0");
  const MachineFacts facts = read();
  EXPECT_FALSE(facts.files_hard.has_value());
  EXPECT_FALSE(facts.cores.has_value());
  EXPECT_FALSE(facts.files_max.has_value());
  EXPECT_FALSE(facts.tcp_pages.has_value());
  EXPECT_EQ(facts.huge_pages, "");
  EXPECT_FALSE(facts.group_cores.has_value());
}

TEST(DoctorFactsHere, OfThisMachineAreRead) {
  const MachineFacts facts = read_machine();
  EXPECT_TRUE(facts.files_hard.has_value());
  EXPECT_TRUE(facts.cores.has_value());
}

}  // namespace
}  // namespace nightjar::cli
