#include "cli/doctor_findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "cli/doctor_report.h"

namespace nightjar::cli {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Status = Finding::Status;

constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

constexpr Demand kDemand{.connections = 10'000,
                         .workers = 2,
                         .addresses = 1,
                         .accept_backlog = 4096,
                         .shared_bytes = kGib,
                         .slow_client_bytes = kGib / 64};

// A machine on which nothing is in the way.
MachineFacts roomy() {
  return {.files_soft = 1024,
          .files_hard = 524'288,
          .cores = 4,
          .files_max = 1'000'000,
          .files_used = 1000,
          .files_ceiling = 1'048'576,
          .accept_backlog_max = 4096,
          .syn_backlog_max = 4096,
          .syn_cookies = 1,
          .local_ports = {{1024, 65'535}},
          .page_bytes = 4096,
          .tcp_pages = {{100'000, 200'000, 300'000}},
          .receive_buffer_bytes = {{4096, 131'072, 6'291'456}},
          .send_buffer_bytes = {{4096, 16'384, 4'194'304}},
          .connections_tracked = 0,
          .connections_tracked_max = 262'144,
          .overcommit = 0,
          .memory_free_bytes = 6 * kGib,
          .swap_used_bytes = 0,
          .huge_pages = "madvise",
          .clock_source = "tsc",
          .clock_sources = "tsc hpet",
          .governor = "schedutil",
          .governor_driver = "acpi-cpufreq"};
}

// What one check says; fails if it says nothing.
Finding about(std::string_view check, const MachineFacts& facts, const Demand& demand = kDemand) {
  const std::vector<Finding> findings = examine(facts, demand);
  const auto at = std::find_if(findings.begin(), findings.end(),
                               [check](const Finding& finding) { return finding.check == check; });
  EXPECT_NE(at, findings.end()) << check;
  return at == findings.end() ? Finding{} : *at;
}

TEST(Doctor, FindsNothingOnARoomyMachine) {
  for (const Finding& finding : examine(roomy(), kDemand)) {
    EXPECT_EQ(finding.status, Status::kOk) << finding.check << ": " << finding.found;
    EXPECT_EQ(finding.fix, "") << finding.check;
    EXPECT_NE(finding.found, "") << finding.check;
  }
}

TEST(Doctor, SaysWhatItCannotReadAndDoesNotGuess) {
  for (const Finding& finding : examine({}, kDemand)) {
    EXPECT_EQ(finding.status, Status::kUnknown) << finding.check;
  }
  EXPECT_THAT(what_keeps_clients_out({}, kDemand), IsEmpty());
}

TEST(DoctorFiles, TooFewLeaveRoomForFewerClients) {
  MachineFacts facts = roomy();
  facts.files_soft = facts.files_hard = 1024;
  const Finding finding = about("open_files", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  // 2 workers with 2 files and 1 socket each, and 32 others.
  EXPECT_THAT(finding.found, HasSubstr("room for 986 clients"));
  EXPECT_THAT(finding.fix, AllOf(HasSubstr("LimitNOFILE=10038"), HasSubstr("ulimit -n 10038")));
  facts.files_soft = facts.files_hard = 10'038;
  EXPECT_EQ(about("open_files", facts).status, Status::kOk) << "as many as are needed are enough";
}

TEST(DoctorFiles, ALowSoftLimitIsRaisedByTheBroker) {
  const Finding finding = about("open_files", roomy());
  EXPECT_EQ(finding.status, Status::kOk);
  EXPECT_THAT(finding.found, HasSubstr("raises its soft limit itself"));
}

TEST(DoctorFiles, MoreClientsNeedMore) {
  Demand demand = kDemand;
  demand.connections = 2'000'000;
  EXPECT_EQ(about("open_files", roomy(), demand).status, Status::kWarning);
  EXPECT_EQ(about("files_of_a_process", roomy(), demand).fix, "sysctl -w fs.nr_open=2000038");
  EXPECT_EQ(about("files_of_the_machine", roomy(), demand).fix, "sysctl -w fs.file-max=4001076");
}

TEST(DoctorFiles, NoLimitIsEnough) {
  MachineFacts facts = roomy();
  facts.files_soft = facts.files_hard = kUnlimited;
  facts.files_max = 9'223'372'036'854'775'807;
  EXPECT_EQ(about("open_files", facts).found, "10038 are needed, unlimited allowed");
  EXPECT_EQ(about("files_of_the_machine", facts).found, "1000 open, unlimited allowed");
}

TEST(DoctorConnections, AShortAcceptQueueTurnsClientsAway) {
  MachineFacts facts = roomy();
  facts.accept_backlog_max = 128;
  const Finding finding = about("accept_queue", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  EXPECT_THAT(finding.fix, HasSubstr("sysctl -w net.core.somaxconn=4096"));
}

TEST(DoctorConnections, FewHandshakesMatterWithoutCookies) {
  MachineFacts facts = roomy();
  facts.syn_backlog_max = 512;
  EXPECT_EQ(about("handshakes", facts).status, Status::kOk);
  facts.syn_cookies.reset();
  EXPECT_EQ(about("handshakes", facts).status, Status::kOk) << "nobody says that they are off";
  facts.syn_cookies = 0;
  const Finding finding = about("handshakes", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  EXPECT_THAT(finding.fix, HasSubstr("net.ipv4.tcp_syncookies=1"));
}

TEST(DoctorConnections, LocalPortsLimitALoadGenerator) {
  MachineFacts facts = roomy();
  facts.local_ports = {{32'768, 40'000}};
  const Finding few = about("local_ports", facts);
  EXPECT_EQ(few.status, Status::kHint);
  EXPECT_THAT(few.found, HasSubstr("7233"));
  EXPECT_THAT(few.fix, HasSubstr("ip_local_port_range"));
  Demand demand = kDemand;
  demand.connections = 100'000;
  EXPECT_THAT(about("local_ports", facts, demand).fix, HasSubstr("2 addresses")) << "no range is wide enough";
}

TEST(DoctorConnections, AFullTrackingTableDropsThem) {
  MachineFacts facts = roomy();
  facts.connections_tracked = 260'000;
  const Finding finding = about("firewall", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  EXPECT_EQ(finding.fix, "sysctl -w net.netfilter.nf_conntrack_max=280000");
  facts.connections_tracked_max.reset();
  const std::vector<Finding> findings = examine(facts, kDemand);
  EXPECT_TRUE(std::none_of(findings.begin(), findings.end(), [](const Finding& each) {
    return each.check == "firewall";
  })) << "a module that is not loaded is not worth a line";
}

TEST(DoctorMemory, LimitsThatDoNotFitAreTold) {
  MachineFacts facts = roomy();
  facts.memory_free_bytes = kGib / 2;
  const Finding finding = about("memory", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  EXPECT_THAT(finding.found, HasSubstr("512 MiB free"));
  EXPECT_THAT(finding.fix, AllOf(HasSubstr("max_retained_bytes"), HasSubstr("more memory")));
}

TEST(DoctorMemory, TheControlGroupCountsIfItHasLess) {
  MachineFacts facts = roomy();
  facts.group_memory_bytes = kGib / 2;
  facts.group_memory_free_bytes = kGib / 4;
  const Finding finding = about("memory", facts);
  EXPECT_EQ(finding.status, Status::kWarning);
  EXPECT_THAT(finding.found, HasSubstr("256 MiB free in a control group of 512 MiB"));
  EXPECT_THAT(finding.fix, HasSubstr("MemoryMax="));
}

TEST(DoctorMemory, SocketsThatTheKernelStarvesAreTold) {
  MachineFacts facts = roomy();
  facts.tcp_pages = {{750, 1000, 1500}};
  const Finding finding = about("tcp_memory", facts);
  EXPECT_EQ(finding.status, Status::kHint);
  EXPECT_EQ(finding.fix, "sysctl -w net.ipv4.tcp_mem=\"30000 40000 60000\"");
}

TEST(DoctorMemory, SmallOrDisorderedBuffersAreTold) {
  MachineFacts facts = roomy();
  facts.send_buffer_bytes = {{4096, 16'384, 65'536}};
  EXPECT_EQ(about("tcp_buffers", facts).fix, "sysctl -w net.ipv4.tcp_wmem=\"4096 16384 1048576\"");
  facts.receive_buffer_bytes = {{4096, 8'000'000, 6'000'000}};
  EXPECT_EQ(about("tcp_buffers", facts).fix,
            "sysctl -w net.ipv4.tcp_rmem=\"4096 8000000 8000000\" net.ipv4.tcp_wmem=\"4096 16384 1048576\"");
}

TEST(DoctorMemory, SwapOvercommitAndHugePagesAreHints) {
  MachineFacts facts = roomy();
  facts.swap_used_bytes = kGib;
  facts.overcommit = 2;
  facts.huge_pages = "always";
  for (const std::string_view check : {"swap", "overcommit", "huge_pages"}) {
    EXPECT_EQ(about(check, facts).status, Status::kHint) << check;
    EXPECT_NE(about(check, facts).fix, "") << check;
  }
}

TEST(DoctorProcessors, MoreWorkersThanCoresAreAHint) {
  MachineFacts facts = roomy();
  facts.group_cores = 1.5;
  const Finding finding = about("cores", facts);
  EXPECT_EQ(finding.status, Status::kHint);
  EXPECT_THAT(finding.found, HasSubstr("2 workers on 1.5 cores"));
  EXPECT_THAT(finding.fix, HasSubstr("--workers 1"));
  facts.group_cores = 0.5;
  EXPECT_THAT(about("cores", facts).fix, HasSubstr("--workers 1")) << "there is no broker without one";
}

TEST(DoctorProcessors, PowersaveIsSlowOnlyWhereTheDriverDoesNotGovern) {
  MachineFacts facts = roomy();
  facts.governor = "powersave";
  EXPECT_EQ(about("frequency", facts).status, Status::kHint);
  facts.governor_driver = "intel_pstate";
  EXPECT_EQ(about("frequency", facts).status, Status::kOk);
  facts.governor_driver = "amd-pstate-epp";
  EXPECT_EQ(about("frequency", facts).status, Status::kOk);
}

TEST(DoctorProcessors, ASlowClockIsAHintWithWhatTheMachineHas) {
  MachineFacts facts = roomy();
  facts.clock_source = "hpet";
  EXPECT_THAT(about("clock_source", facts).fix, HasSubstr("echo tsc >"));
  facts.clock_sources = "hpet acpi_pm";
  EXPECT_THAT(about("clock_source", facts).fix, HasSubstr("boot with"));
  facts.clock_source = "kvm-clock";
  EXPECT_EQ(about("clock_source", facts).status, Status::kOk);
}

TEST(Doctor, AStartHearsOnlyOfWhatKeepsClientsOut) {
  MachineFacts facts = roomy();
  facts.swap_used_bytes = kGib;
  facts.memory_free_bytes = 0;
  EXPECT_THAT(what_keeps_clients_out(facts, kDemand), IsEmpty());
  facts.files_hard = 64;
  facts.accept_backlog_max = 128;
  std::vector<std::string_view> checks;
  for (const Finding& finding : what_keeps_clients_out(facts, kDemand)) checks.push_back(finding.check);
  EXPECT_THAT(checks, ElementsAre("open_files", "accept_queue"));
}

// ---- How it is shown ----

TEST(DoctorReport, ATableHasEachCheckWithItsFixAndTheSum) {
  MachineFacts facts = roomy();
  facts.accept_backlog_max = 128;
  facts.overcommit = 2;
  const std::string table = findings_table(kDemand, examine(facts, kDemand));
  EXPECT_THAT(table, HasSubstr("10000 clients on this machine\n"));
  EXPECT_THAT(table, HasSubstr("ok       open files "));
  EXPECT_THAT(table, HasSubstr("warning  accept queue "));
  EXPECT_THAT(table, HasSubstr("fix: sysctl -w net.core.somaxconn=4096"));
  EXPECT_THAT(table, HasSubstr("\n1 warning, 1 hint\n"));
  EXPECT_THAT(table, HasSubstr("/etc/sysctl.d/"));
}

TEST(DoctorReport, WithoutAFixNothingIsSaidAboutSysctl) {
  const std::string table = findings_table(kDemand, examine(roomy(), kDemand));
  EXPECT_THAT(table, AllOf(HasSubstr("0 warnings, 0 hints"), Not(HasSubstr("sysctl"))));
}

TEST(DoctorReport, JsonHasTheSameForPrograms) {
  MachineFacts facts = roomy();
  facts.accept_backlog_max = 128;
  const auto report = boost::json::parse(findings_json(kDemand, examine(facts, kDemand))).as_object();
  EXPECT_EQ(report.at("connections").to_number<int>(), 10'000);
  EXPECT_EQ(report.at("warnings").to_number<int>(), 1);
  EXPECT_EQ(report.at("hints").to_number<int>(), 0);
  const auto& finding = report.at("findings").as_array().at(3).as_object();
  EXPECT_EQ(finding.at("check").as_string(), "accept_queue");
  EXPECT_EQ(finding.at("status").as_string(), "warning");
  EXPECT_THAT(std::string(finding.at("fix").as_string()), HasSubstr("somaxconn"));
}

}  // namespace
}  // namespace nightjar::cli
