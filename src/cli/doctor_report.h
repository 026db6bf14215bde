// Findings as a table for people and as JSON for programs. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/doctor_findings.h"

namespace nightjar::cli {

std::size_t count_of(const std::vector<Finding>& findings, Finding::Status status);

std::string findings_table(const Demand& demand, const std::vector<Finding>& findings);
// One object on one line.
std::string findings_json(const Demand& demand, const std::vector<Finding>& findings);

}  // namespace nightjar::cli
