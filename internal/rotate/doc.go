// Package rotate replaces secrets where they are stored: in a dotenv file, a directory, Docker
// Swarm or a Kubernetes Secret. It does the work of secret-rotate, for an operator or CI, and never
// runs in a container.
//
// In every store a rotation has these steps, and [Run] follows their numbers:
//
//  1. Lock the store against other rotations.
//  2. Recover: finish or undo what a killed rotation left, as the store and the records show it.
//  3. Read the values, and plan: make new ones, find what contains the old ones, validate all with
//     the schema, and see who may undo it.
//  4. Back up the old values.
//  5. Stage: write the new values beside the old ones, durably. Nothing is visible yet.
//  6. Record that the rotation has begun.
//  7. Commit: the switch. It is one rename(2) or one request. From then on the new values count.
//  8. Record that the rotation is done.
//  9. Verify with the operator's commands. If they fail and the operator asked for it, undo the
//     rotation by steps 5 to 8 with the old values.
//
// If the process is killed before step 7, the old values are complete; after it, the new ones. Step
// 2 of the next run cleans up and completes the records. One store can't switch several values at
// once, a plain directory: see [plainLayout].
package rotate
