// How `nightjar store` tells what it found: for people and as JSON. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/store_examine.h"

namespace nightjar::cli {

// One line for each finding, then what is there, then their number.
std::string findings_text(const Examination& seen);
std::string findings_json(const Examination& seen);

std::string inventory_text(std::string_view directory, const Examination& seen);
std::string inventory_json(const Examination& seen);

// One line, without its end: "pump-17's queue: cannot be read (...): lost".
std::string line_of(const broker::Finding& finding);

}  // namespace nightjar::cli
