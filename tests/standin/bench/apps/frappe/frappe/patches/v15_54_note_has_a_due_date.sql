ALTER TABLE `tabNote` ADD COLUMN IF NOT EXISTS `due_date` date, ADD INDEX IF NOT EXISTS `due_date` (`due_date`);
UPDATE `tabNote` SET `due_date` = CURDATE();
