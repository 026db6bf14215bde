// What a key of the store's tables stands for, in words for the operator of a broker. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/durable/changes.h"

namespace nightjar::broker {

// In quotes, on one line whatever is in it, and without control characters, which a terminal would obey.
std::string quoted(std::string_view text);

// "1 message", "2 messages".
std::string counted(std::uint64_t count, std::string_view what);

// `subscription "a/#" of client "pump-17"`, `messages of queue 5 from number 12 on`.
std::string describe_key(Table table, std::string_view key);

// As the files of the store call it.
std::string_view name_of(Table table);

}  // namespace nightjar::broker
