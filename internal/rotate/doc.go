// Package rotate replaces secrets where they are stored: in a dotenv file, a directory, Docker Swarm or a Kubernetes
// Secret. It is the machinery of secret-rotate, for an operator or CI; it is never in a container.
//
// Whatever the store, a rotation is these steps, and [Run] follows their numbers:
//
//  1. Lock the store against other rotations.
//  2. Recover: finish or undo what a killed rotation left, by what is found in the store and in the records.
//  3. Read the values, and plan: make new ones, find what contains the old ones, compare with the schema.
//  4. Back up the old values.
//  5. Stage: write the new ones beside the old, durably. Nothing is visible yet.
//  6. Record that it has begun.
//  7. Commit: the switch. One rename(2), or one request, from which on the new values count.
//  8. Record that it is done.
//  9. Verify with the operator's commands; if they fail and it was asked for, undo by steps 5 to 8 with the old values.
//
// Killed before step 7 the old values are complete, after it the new ones; step 2 of the next run cleans up and completes
// the records. One store has no switch for several values, a plain directory: see [directory].
package rotate
