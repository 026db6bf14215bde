#include "broker/drain.h"

#include "broker/connections.h"
#include "broker/session/publish_will.h"
#include "broker/worker.h"
#include "broker/worker_state.h"

namespace nightjar::broker {
namespace {

// The wills that the end of their connections will make due: a delay goes on where the session does.
void publish_due_wills(WorkerState& worker) {
  for (const auto& connection : worker.connections) {
    Session* session = connection->session;
    if (session == nullptr || !session->will) continue;
    if (session->will->delay_s == 0 || session->is_clean()) publish_will(worker, *session);
  }
}

}  // namespace

void Drain::begin(WorkerState& worker) {
  if (has_begun_) return;
  has_begun_ = true;
  publish_due_wills(worker);
  post_fences(worker);
  advance(worker);
}

void Drain::post_fences(WorkerState& worker) {
  for (std::uint16_t other = 0; other < worker.node.worker_count(); ++other) {
    worker.mailer.post({other}, TaskMail{[round = round_](Worker& receiver) {
                         WorkerState& there = receiver.state();
                         there.drain.on_fence(there, round);
                       }});
  }
}

void Drain::on_fence(WorkerState& worker, std::size_t round) {
  ++fences_[round];
  if (has_begun_) advance(worker);
}

void Drain::advance(WorkerState& worker) {
  while (round_ < kRounds && fences_[round_] == worker.node.worker_count()) {
    if (++round_ < kRounds) post_fences(worker);
  }
}

void Drain::finish_turn(WorkerState& worker) {
  if (round_ < kRounds || has_said_goodbye_) return;
  has_said_goodbye_ = true;
  while (!worker.connections.empty()) {
    close_connection(worker, *worker.connections.back(),
                     {.code = mqtt::ReasonCode::kServerShuttingDown,
                      .why = "the broker is shutting down",
                      .is_expected = true});
  }
}

}  // namespace nightjar::broker
