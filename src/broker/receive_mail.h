// What a worker does with the mail of others. Functions of the receiving worker.
#pragma once

#include <memory>

#include "broker/mail.h"

namespace nightjar::broker {

struct WorkerState;

void receive_batch(WorkerState& worker, MailBatch& batch);
// Mail to a session or group: sent on or held if the shard is elsewhere or on its way.
void receive_addressed(WorkerState& worker, AddressedMail mail);

}  // namespace nightjar::broker
