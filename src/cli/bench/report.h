// A result as text for people and for programs. Pure, but for write_report.
#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "cli/bench/result.h"

namespace nightjar::cli::bench {

std::string report_table(const BenchResult& result);
boost::json::object report_json(const BenchResult& result);
// One page that needs nothing else: tables, and charts of latency, throughput and the broker's CPU and
// memory.
std::string report_html(const BenchResult& result);

// To a file, or to the standard output if `path` is "-". False, with a message to people, if it cannot.
bool write_report(const std::string& path, const std::string& text);

// "1.23 µs", "4.56 ms".
std::string time_text(double nanoseconds);
// "1 234 567".
std::string count_text(double count);
std::string bytes_text(double bytes);
// With as many digits as say something.
std::string figure_text(double value);
// "bytes per filter" of the name of a figure, "bytes_per_filter".
std::string words(std::string name);

}  // namespace nightjar::cli::bench
