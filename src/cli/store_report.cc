#include "cli/store_report.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <iterator>

#include "broker/durable/describe.h"

namespace nightjar::cli {
namespace {

namespace json = boost::json;
using broker::counted;
using broker::Inventory;

constexpr int kNameWidth = 24;
constexpr int kNumberWidth = 12;

std::string bytes_text(std::uint64_t bytes) {
  constexpr double kKiB = 1024;
  const auto size = static_cast<double>(bytes);
  if (size < kKiB) return fmt::format("{} B", bytes);
  if (size < kKiB * kKiB) return fmt::format("{:.1f} KiB", size / kKiB);
  if (size < kKiB * kKiB * kKiB) return fmt::format("{:.1f} MiB", size / (kKiB * kKiB));
  return fmt::format("{:.1f} GiB", size / (kKiB * kKiB * kKiB));
}

void add_row(std::string& out, std::string_view name, std::uint64_t number, std::string_view rest = {}) {
  fmt::format_to(std::back_inserter(out), "{:<{}}{:>{}}", name, kNameWidth, number, kNumberWidth);
  if (!rest.empty()) fmt::format_to(std::back_inserter(out), "{:>{}}", rest, kNumberWidth);
  out += '\n';
}

std::string contents_text(const Inventory& seen) {
  return fmt::format("{} with {} and {}, {}, {}", counted(seen.sessions, "session"),
                     counted(seen.subscriptions, "subscription"), counted(seen.messages, "message"),
                     counted(seen.retained, "retained message"), counted(seen.wills, "will"));
}

std::string leftovers_text(const Examination& seen) {
  const Inventory& all = seen.inventory;
  if (all.leftover_queues == 0 && all.leftover_groups == 0) return {};
  // Without damage they come from a session that ended while a message for it was on its way to the disk.
  return fmt::format("{}: {} ({}) and {}\n",
                     seen.findings.empty()
                         ? "harmless leftovers, which the next start erases"
                         : "nobody's, perhaps of sessions that are lost; the next start erases them",
                     counted(all.leftover_queues, "queue"), counted(all.leftover_rows, "row"),
                     counted(all.leftover_groups, "shared group"));
}

json::object inventory_object(const Inventory& seen) {
  json::array queues;
  for (const broker::QueueTally& queue : seen.largest_queues) {
    queues.push_back(
        json::object{{"owner", queue.owner}, {"messages", queue.messages}, {"bytes", queue.bytes}});
  }
  return {{"runs", seen.runs},
          {"shards", seen.shards},
          {"sessions", seen.sessions},
          {"subscriptions", seen.subscriptions},
          {"wills", seen.wills},
          {"shared_groups", seen.groups},
          {"messages", seen.messages},
          {"message_bytes", seen.message_bytes},
          {"retained", seen.retained},
          {"retained_bytes", seen.retained_bytes},
          {"largest_queues", std::move(queues)},
          {"leftover_queues", seen.leftover_queues},
          {"leftover_rows", seen.leftover_rows},
          {"leftover_groups", seen.leftover_groups}};
}

}  // namespace

std::string line_of(const broker::Finding& finding) {
  return fmt::format("{}: {}: {}", finding.what, finding.why, finding.effect);
}

std::string findings_text(const Examination& seen) {
  std::string out;
  for (const broker::Finding& finding : seen.findings) out += line_of(finding) + "\n";
  out += fmt::format("format {}, {}: {}\n", seen.format, counted(seen.inventory.runs, "run"),
                     contents_text(seen.inventory));
  out += leftovers_text(seen);
  return out + counted(seen.findings.size(), "finding") + "\n";
}

std::string findings_json(const Examination& seen) {
  json::array findings;
  for (const broker::Finding& finding : seen.findings) {
    findings.push_back(
        json::object{{"what", finding.what}, {"why", finding.why}, {"effect", finding.effect}});
  }
  json::object out = inventory_object(seen.inventory);
  out["format"] = seen.format;
  out["findings"] = std::move(findings);
  return json::serialize(out) + "\n";
}

std::string inventory_text(std::string_view directory, const Examination& seen) {
  const Inventory& all = seen.inventory;
  std::string out = fmt::format("{}: format {}, {}, {}\n\n", directory, seen.format, counted(all.runs, "run"),
                                counted(all.shards, "shard"));
  add_row(out, "sessions", all.sessions);
  add_row(out, "subscriptions", all.subscriptions);
  add_row(out, "wills", all.wills);
  add_row(out, "shared groups", all.groups);
  add_row(out, "messages in queues", all.messages, bytes_text(all.message_bytes));
  add_row(out, "retained messages", all.retained, bytes_text(all.retained_bytes));
  out += "\non disk                        files       bytes\n";
  for (std::size_t table = 0; table < seen.tables.size(); ++table) {
    add_row(out, name_of(static_cast<broker::Table>(table)), seen.tables[table].files,
            bytes_text(seen.tables[table].bytes));
  }
  fmt::format_to(std::back_inserter(out), "{:<{}}{:>{}}\n", "log", kNameWidth + kNumberWidth,
                 bytes_text(seen.log_bytes), kNumberWidth);
  if (!all.largest_queues.empty()) out += "\nlargest queues              messages       bytes\n";
  for (const broker::QueueTally& queue : all.largest_queues) {
    add_row(out, queue.owner, queue.messages, bytes_text(queue.bytes));
  }
  if (const std::string leftovers = leftovers_text(seen); !leftovers.empty()) out += "\n" + leftovers;
  return out;
}

std::string inventory_json(const Examination& seen) {
  json::object out = inventory_object(seen.inventory);
  json::object tables;
  for (std::size_t table = 0; table < seen.tables.size(); ++table) {
    tables[name_of(static_cast<broker::Table>(table))] =
        json::object{{"files", seen.tables[table].files}, {"bytes", seen.tables[table].bytes}};
  }
  out["format"] = seen.format;
  out["tables"] = std::move(tables);
  out["log_bytes"] = seen.log_bytes;
  out["findings"] = seen.findings.size();
  return json::serialize(out) + "\n";
}

}  // namespace nightjar::cli
